//! Values that were read once and are shown again: what a cache may hold.

use std::borrow::Cow;
use std::fmt;

use crate::access::Right;
use crate::gate::Permit;
use crate::outcome::{How, Shown, ShownResource};
use crate::release::Unreleased;

/// A value about one resource that outlives the request which read it. Nobody can look at it but through [`Kept::show`], which asks the
/// permit of the new request and names the resource in its record: an answer from memory is recorded as one from the store is.
pub struct Kept<T> {
    value: T,
    kind: Cow<'static, str>,
    id: Box<str>,
    version: u64,
    /// Empty where the resource is the one patient it is about.
    patients: Box<[Box<str>]>,
}

impl<T> Unreleased<T> {
    /// Keeps the value beyond this request, without having shown it. None where it shows anything but exactly one resource, whole.
    #[must_use]
    pub fn keep(self) -> Option<Kept<T>> {
        let Shown { patients, resources, labels, .. } = self.shown;
        let [one] = <[ShownResource; 1]>::try_from(resources).ok()?;
        if !labels.is_empty() || one.how == How::Masked {
            return None;
        }
        let itself = one.kind == PATIENT && patients.len() == 1 && patients[0] == one.id;
        let patients = if itself { Box::default() } else { patients.into_iter().map(String::into).collect() };
        let kind = if one.kind == PATIENT { Cow::Borrowed(PATIENT) } else { Cow::Owned(one.kind) };
        Some(Kept { value: self.value, kind, id: one.id.into(), version: one.version, patients })
    }
}

impl<T: Clone> Kept<T> {
    /// The value for another request, with what it shows. None where the permit does not reach the resource: to this caller it is not there.
    #[must_use]
    pub fn show(&self, permit: &Permit<'_>) -> Option<Unreleased<T>> {
        let reached = match &*self.patients {
            [] => permit.allows_for(&self.kind, Right::Read, &[&self.id]),
            many => permit.allows_for(&self.kind, Right::Read, &many.iter().map(|id| &**id).collect::<Vec<_>>()),
        };
        if !reached {
            return None;
        }
        let patients: Vec<String> = match &*self.patients {
            [] => vec![self.id.to_string()],
            many => many.iter().map(ToString::to_string).collect(),
        };
        let resource = ShownResource {
            kind: self.kind.to_string(),
            id: self.id.to_string(),
            version: self.version,
            patient: Some(0),
            how: How::Match,
        };
        let shown = Shown { patients, resources: vec![resource], ..Shown::default() };
        Some(Unreleased { value: self.value.clone(), shown })
    }
}

impl<T> fmt::Debug for Kept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(..)")
    }
}

const PATIENT: &str = "Patient";
