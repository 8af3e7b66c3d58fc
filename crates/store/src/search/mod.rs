//! Search by posting lists.

use dukou_audit::Permit;
use dukou_fhir::search::Query;
use dukou_fhir::{Offset, ResourceKey};

use crate::error::Error;
use crate::tables::View;
use crate::version::{Cursor, Page, SearchLimits};

pub(crate) fn page(
    _view: &dyn View,
    _permit: &Permit<'_>,
    _query: &Query,
    _limits: &SearchLimits,
    _from: Option<&Cursor>,
    _zone: Offset,
) -> Result<Page, Error> {
    Ok(Page::default())
}

pub(crate) fn first_matches(_view: &dyn View, _query: &Query, _count: usize, _zone: Offset) -> Result<Vec<ResourceKey>, Error> {
    Ok(Vec::new())
}
