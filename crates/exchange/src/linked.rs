//! A plain write of a Patient that says that another record goes on for it: the same decision as a merge, with the same entry in the
//! journal. It is not unsaid by a plain write: what was filed since has to find its chart, which is what `$unmerge` is for.

use dukou_audit::Permit;
use dukou_fhir::{LogicalId, ResourceKey};
use dukou_identity::Decided;
use dukou_store::{Put, Version};

use crate::apply::{Applied, Sheet};
use crate::merge::refusal;
use crate::{Error, Exchange, links, told};

/// A record for which another goes on from now on, and that which did so before.
pub(crate) struct Relinked {
    pub(crate) key: ResourceKey,
    pub(crate) before: Option<LogicalId>,
    pub(crate) survivor: LogicalId,
}

impl Exchange {
    /// Which record goes on for a stored one.
    pub(crate) fn replaced_before(version: &Version) -> Result<Option<LogicalId>, Error> {
        // Few records are replaced; the bytes tell those that are not.
        if !version.body.windows(LINK.len()).any(|bytes| bytes == LINK) {
            return Ok(None);
        }
        Ok(links::replaced_by(&Exchange::tree(version)?))
    }

    /// Whether a client may write that `survivor` goes on for a record: where something speaks against it, `$merge` asks a second person.
    pub(crate) fn may_replace(&self, retired: &LogicalId, survivor: &LogicalId) -> Result<(), Error> {
        if survivor == retired || self.survivor_of(survivor).as_ref() == Some(retired) {
            return Err(refusal("merge-circle", "the record would go on for itself", "记录不能被自身替代"));
        }
        match self.objections(survivor, retired).is_empty() {
            true => Ok(()),
            false => Err(refusal(
                "merge-vetoed",
                "something speaks against this merge; use Patient/$merge, where a second person confirms it",
                "存在否决证据；请使用 Patient/$merge，由另一人确认",
            )),
        }
    }

    /// The other side of each link, and the entries of the journal.
    pub(crate) fn relink(&self, permit: &Permit<'_>, relinked: &[Relinked], puts: &[Put]) -> Result<Applied, Error> {
        let mut sheet = Sheet::blank(self, permit, "", "Patient.link");
        for Relinked { key, before, survivor } in relinked {
            for (other, stands) in before.iter().map(|old| (old, false)).chain([(survivor, true)]) {
                let other = told::patient(other);
                if puts.iter().any(|put| put.key == other) || sheet.peek(&other)?.is_none() {
                    continue;
                }
                sheet.edit(&other, |content| match stands {
                    true => links::add(content, "replaces", &key.id),
                    false => links::remove(content, "replaces", &key.id),
                })?;
            }
            if let Some(merge) = before.as_ref().and_then(|_| self.merge_of(&key.id)) {
                sheet.journal(Decided::Unmerge { merge });
            }
            sheet.journal(Decided::Merge { survivor: survivor.clone(), retired: key.id.clone() });
        }
        Ok(sheet.finish())
    }
}

const LINK: &[u8] = b"\"replaced-by\"";
