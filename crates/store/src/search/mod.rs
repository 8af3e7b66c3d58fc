//! Search by posting lists.

use dukou_audit::Permit;
use dukou_fhir::ResourceKey;
use dukou_fhir::search::{Query, Site};

use crate::error::Error;
use crate::tables::View;
use crate::version::{Cursor, Page, SearchLimits};

pub(crate) fn page(
    _view: &dyn View,
    _permit: &Permit<'_>,
    _query: &Query,
    _limits: &SearchLimits,
    _from: Option<&Cursor>,
    _site: Site<'_>,
) -> Result<Page, Error> {
    Ok(Page::default())
}

pub(crate) fn first_matches(_view: &dyn View, _query: &Query, _count: usize) -> Result<Vec<ResourceKey>, Error> {
    Ok(Vec::new())
}
