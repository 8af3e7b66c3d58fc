//! `Patient/$unmerge`: a merge is taken back, also long after it.
//!
//! What came under the retired number stands there and goes with it. What was filed under the survivor since the merge is routed by what
//! it hangs on: its visit, its order, its specimen, the report that holds it. What hangs on nothing that is known stays in sight: it
//! stands in both charts, marked as in doubt, until a person has decided.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use dukou_audit::{Permit, Settled};
use dukou_fhir::search::IN_DOUBT;
use dukou_fhir::{Instant, LogicalId, Object, ResourceKey, Text, Value, VersionId, reference};
use dukou_identity::{Decided, ReviewKind};
use dukou_store::{self as store, Version};

use crate::apply::{Applied, Sheet};
use crate::merge::{Party, batch, refusal};
use crate::{Error, Exchange, links, told};

/// What `$unmerge` is asked.
#[derive(Clone, Debug)]
pub struct UnmergeAsked {
    /// The record that was retired, or the survivor of only one merge.
    pub patient: Party,
    /// The journal's entry of the merge, where the caller names it.
    pub merge: Option<u64>,
    /// Why.
    pub reason: String,
    /// Nothing is changed.
    pub preview: bool,
    /// Whether the two are held apart from now on.
    pub holds_apart: bool,
}

/// What became of it: resources by type.
#[derive(Clone, Debug, Default)]
pub struct Unmerged {
    /// The record that lives again.
    pub restored: Option<ResourceKey>,
    /// The record that goes on.
    pub survivor: Option<ResourceKey>,
    /// Stays with the survivor, of what came since the merge.
    pub stays: BTreeMap<String, usize>,
    /// Goes to the restored record.
    pub goes: BTreeMap<String, usize>,
    /// Stands in both charts, in doubt.
    pub in_doubt: BTreeMap<String, usize>,
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Survivor,
    Restored,
}

/// The two records that part, and since when they were one.
struct Parting {
    survivor: ResourceKey,
    restored: ResourceKey,
    merge: Option<u64>,
    since: Option<Instant>,
}

impl Exchange {
    /// Takes a merge back, or says what that would do. It works after any later edit of either record.
    ///
    /// # Errors
    /// [`Error::Invalid`] (422) where no standing merge is named, or more hangs on the survivor than one transaction takes.
    pub fn unmerge(&self, permit: &Permit<'_>, asked: &UnmergeAsked) -> Result<Settled<Unmerged>, Error> {
        if asked.reason.trim().is_empty() && asked.merge.is_none() {
            return Err(refusal("reason-missing", "name the merge's entry or say why", "请提供合并记录编号或说明理由"));
        }
        for _ in 0..self.surroundings.limits.prepare_attempts_max {
            let parting = self.parting(permit, asked)?;
            let (mut applied, done) = self.part(permit, asked, &parting)?;
            if asked.preview {
                let shown = self.read(permit, &parting.restored)?;
                return Ok(Settled::Unchanged(shown.map(|_| done)));
            }
            applied.puts.extend(self.review_puts(permit, &applied.reviews)?);
            match self.commit(permit, batch(permit, applied)) {
                Err(store::Error::Conflict { .. } | store::Error::ConditionFailed { .. }) => {}
                Err(other) => return Err(other.into()),
                Ok(settled) => return Ok(settled.map(|_| done)),
            }
        }
        Err(Error::Contended { attempts: self.surroundings.limits.prepare_attempts_max })
    }

    /// Finds the merge that is to be taken back.
    fn parting(&self, permit: &Permit<'_>, asked: &UnmergeAsked) -> Result<Parting, Error> {
        let named = self.party(permit, &asked.patient, "patient")?;
        let content = |key: &ResourceKey| -> Result<Option<Value<'static>>, Error> {
            let version = self.store.basis(permit, std::slice::from_ref(key))?.versions.pop().flatten();
            let live = version.filter(|version| !version.is_deleted());
            Ok(live.as_ref().map(Exchange::tree).transpose()?.map(Value::into_static))
        };
        let merge = match asked.merge {
            Some(seq) => Some(self.standing_merge(seq).ok_or_else(no_merge)?),
            None => None,
        };
        let (survivor, restored) = match &merge {
            Some((survivor, retired)) if *survivor == named.id || *retired == named.id => {
                (told::patient(survivor), told::patient(retired))
            }
            Some(_) => return Err(no_merge()),
            None => {
                let own = content(&named)?.unwrap_or_else(|| told::stub(named.kind));
                match links::replaced_by(&own) {
                    Some(survivor) => (told::patient(&survivor), named),
                    None => (named, told::patient(&only_replaced(&own).ok_or_else(no_merge)?)),
                }
            }
        };
        let merge = asked.merge.or_else(|| self.merge_of(&restored.id));
        let since = merge.and_then(|seq| self.decided_at(seq)).map(Instant::from_millis);
        for key in [&survivor, &restored] {
            self.party(permit, &Party { id: Some(key.id.clone()), identifiers: Vec::new() }, "patient")?;
        }
        Ok(Parting { survivor, restored, merge, since })
    }

    fn part(&self, permit: &Permit<'_>, asked: &UnmergeAsked, parting: &Parting) -> Result<(Applied, Unmerged), Error> {
        let Parting { survivor, restored, .. } = parting;
        let mut sheet = Sheet::blank(self, permit, &asked.reason, "");
        sheet.edit(restored, |content| links::remove(content, "replaced-by", &survivor.id))?;
        sheet.edit(survivor, |content| links::remove(content, "replaces", &restored.id))?;
        match parting.merge {
            Some(merge) => sheet.journal(Decided::Unmerge { merge }),
            None => sheet.journal(Decided::Unlink { a: survivor.id.clone(), b: restored.id.clone() }),
        }
        if asked.holds_apart {
            sheet.journal(Decided::AssertNotSame { a: survivor.id.clone(), b: restored.id.clone() });
        }
        let mut done =
            Unmerged { restored: Some(restored.clone()), survivor: Some(survivor.clone()), ..Unmerged::default() };
        let filed = self.filed_since(permit, parting)?;
        let owners = self.owners(permit, parting, &filed)?;
        for version in filed {
            let key = version.key.clone();
            let kind = key.kind.to_string();
            sheet.take_in(version);
            let bag = match owners.get(&key) {
                Some(Owner::Survivor) => &mut done.stays,
                Some(Owner::Restored) => {
                    hand_over(&mut sheet, &key, survivor, restored)?;
                    &mut done.goes
                }
                None => {
                    sheet.edit(&key, |content| mark(content, &restored.id))?;
                    &mut done.in_doubt
                }
            };
            *bag.entry(kind).or_default() += 1;
        }
        if !done.in_doubt.is_empty() {
            let count: usize = done.in_doubt.values().sum();
            let line =
                Text::new(format!("{count} resources stand in both charts"), format!("{count} 份资料同时列在两人名下"));
            let pair = (survivor.id.clone(), Some(restored.id.clone()));
            sheet.applied.reviews.push(told::finding(ReviewKind::InDoubt, pair.0, pair.1, vec![line]));
        }
        Ok((sheet.finish(), done))
    }

    /// What refers to the survivor and was not there when the two became one.
    fn filed_since(&self, permit: &Permit<'_>, parting: &Parting) -> Result<Vec<Version>, Error> {
        let all = self.store.referrers(permit, &parting.survivor, FILED_MAX + 1)?;
        if all.len() > FILED_MAX {
            return Err(refusal(
                "too-much-to-part",
                "too much hangs on the survivor",
                "保留记录下的资料过多，无法一次拆分",
            ));
        }
        let mut since = Vec::new();
        for version in all {
            let is_statement = STATEMENTS.contains(&version.key.kind.as_str());
            if !is_statement && self.is_born_since(permit, &version, parting.since)? {
                since.push(version);
            }
        }
        Ok(since)
    }

    /// Whether a resource began after an instant; without an instant nothing is known to be older.
    fn is_born_since(&self, permit: &Permit<'_>, version: &Version, since: Option<Instant>) -> Result<bool, Error> {
        let Some(since) = since else { return Ok(true) };
        if version.last_updated <= since {
            return Ok(false);
        }
        if version.version.number() == 1 {
            return Ok(true);
        }
        let first = VersionId::parse("1").unwrap_or(version.version);
        let mut born = version.last_updated;
        // Only the time is looked at; nothing of the version is shown.
        drop(self.store.vread(permit, &version.key, first)?.map(|found| {
            born = found.map_or(born, |first| first.last_updated);
        }));
        Ok(born > since)
    }

    /// Whose each resource is, as far as what it hangs on says so.
    fn owners(
        &self,
        permit: &Permit<'_>,
        parting: &Parting,
        filed: &[Version],
    ) -> Result<HashMap<ResourceKey, Owner>, Error> {
        let own: BTreeSet<&ResourceKey> = filed.iter().map(|version| &version.key).collect();
        let mut hangs: Vec<(ResourceKey, Vec<ResourceKey>)> = Vec::new();
        let mut holds: HashMap<ResourceKey, Vec<ResourceKey>> = HashMap::new();
        let mut anchors: BTreeSet<ResourceKey> = BTreeSet::new();
        for version in filed {
            let content = Exchange::tree(version)?;
            let mut named: Vec<ResourceKey> = reference::references(&content)
                .into_iter()
                .filter_map(|(_, text)| ResourceKey::parse(text))
                .filter(|key| ANCHORS.contains(&key.kind.as_str()) || own.contains(key))
                .collect();
            named.sort_by_key(|key| (rank(key), key.clone()));
            named.dedup();
            anchors.extend(named.iter().filter(|key| !own.contains(key)).cloned());
            for key in named.iter().filter(|key| own.contains(key)) {
                holds.entry(key.clone()).or_default().push(version.key.clone());
            }
            hangs.push((version.key.clone(), named));
        }
        let mut owners = self.anchored(permit, parting, anchors)?;
        // What is settled settles what hangs on it, until nothing more follows.
        for _ in 0..ROUNDS_MAX {
            let before = owners.len();
            for (key, named) in &hangs {
                let holders = holds.get(key).into_iter().flatten();
                let owner = named.iter().chain(holders).find_map(|other| owners.get(other).copied());
                if let (Some(owner), false) = (owner, owners.contains_key(key)) {
                    owners.insert(key.clone(), owner);
                }
            }
            if owners.len() == before {
                break;
            }
        }
        Ok(owners)
    }

    /// Whose the visits, orders and specimens are that were there before or that came under the other number.
    fn anchored(
        &self,
        permit: &Permit<'_>,
        parting: &Parting,
        anchors: BTreeSet<ResourceKey>,
    ) -> Result<HashMap<ResourceKey, Owner>, Error> {
        let keys: Vec<ResourceKey> = anchors.into_iter().collect();
        let mut owners = HashMap::new();
        for version in self.store.basis(permit, &keys)?.versions.into_iter().flatten() {
            if version.is_deleted() {
                continue;
            }
            let content = Exchange::tree(&version)?;
            let names = |patient: &ResourceKey| {
                let wanted = patient.to_string();
                reference::references(&content).iter().any(|(_, text)| *text == wanted)
            };
            let owner = match (names(&parting.restored), names(&parting.survivor)) {
                (true, false) => Owner::Restored,
                (false, true) if !self.is_born_since(permit, &version, parting.since)? => Owner::Survivor,
                _ => continue,
            };
            drop(content);
            owners.insert(version.key, owner);
        }
        Ok(owners)
    }
}

/// The only record that a survivor replaces.
fn only_replaced(content: &Value<'_>) -> Option<LogicalId> {
    let mut replaced = content.list_at("link").iter().filter(|link| link.text_at("type") == Some("replaces"));
    let only = replaced.next()?;
    let key = ResourceKey::parse(only.text_at("other.reference")?)?;
    replaced.next().is_none().then_some(key.id)
}

/// Gives a resource to the restored record.
fn hand_over(
    sheet: &mut Sheet<'_>,
    key: &ResourceKey,
    survivor: &ResourceKey,
    restored: &ResourceKey,
) -> Result<(), Error> {
    let (from, to) = (survivor.to_string(), restored.to_string());
    sheet.edit(key, |content| {
        reference::rewrite(content, &mut |text| (text == from).then(|| to.clone()));
    })
}

/// Marks a resource as in doubt between the patient it names and another.
fn mark(content: &mut Value<'static>, other: &LogicalId) {
    let Some(object) = content.as_object_mut() else { return };
    let tag = Object::new().with("system", TAG_SYSTEM).with("code", TAG).with("display", "identity in doubt");
    if object.get("meta").is_none() {
        object.insert("meta", Object::new());
    }
    if let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) {
        links::retain(meta, "tag", |known| known.text_at("code") != Some(TAG));
        links::push(meta, "tag", tag);
    }
    links::retain(object, "extension", |one| one.text_at("url") != Some(IN_DOUBT));
    let other = Object::new().with("reference", format!("Patient/{other}"));
    links::push(object, "extension", Object::new().with("url", IN_DOUBT).with("valueReference", other));
}

fn no_merge() -> Error {
    refusal("no-such-merge", "no merge of this patient stands that is named here", "未找到该患者的有效合并记录")
}

/// What a resource hangs on, the surest first.
fn rank(key: &ResourceKey) -> usize {
    ANCHORS.iter().position(|kind| *kind == key.kind.as_str()).unwrap_or(ANCHORS.len())
}

const ANCHORS: [&str; 9] = [
    "Encounter",
    "ServiceRequest",
    "MedicationRequest",
    "Specimen",
    "Appointment",
    "EpisodeOfCare",
    "Account",
    "DiagnosticReport",
    "ImagingStudy",
];

/// Types that say what was, or that belong to the node itself.
const STATEMENTS: [&str; 5] = ["Patient", "Provenance", "MessageHeader", "AuditEvent", "Task"];

/// The tag of a resource that may be another's.
const TAG_SYSTEM: &str = "https://dukou.dev/fhir/CodeSystem/identity";
const TAG: &str = "in-doubt";

/// What may hang on a survivor that is parted in one transaction.
const FILED_MAX: usize = 20_000;

/// Steps from one resource to the next by which an owner is found.
const ROUNDS_MAX: usize = 16;
