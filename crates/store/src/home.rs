//! By whose rules resources are indexed.

use std::sync::Arc;

use dukou_fhir::Offset;
use dukou_fhir::search::Site;

/// An owned [`Site`]: zone and public base of this server.
#[derive(Clone)]
pub(crate) struct Home {
    zone: Offset,
    base: Option<Arc<str>>,
}

impl Home {
    pub(crate) fn of(site: Site<'_>) -> Home {
        Home { zone: site.zone, base: site.base.map(Arc::from) }
    }

    pub(crate) fn site(&self) -> Site<'_> {
        Site { zone: self.zone, base: self.base.as_deref() }
    }
}
