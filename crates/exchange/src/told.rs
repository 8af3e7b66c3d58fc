//! What a message decides about identity, done to the records: a merge is two links and an entry of the journal, a link is a link, a
//! number that changes is closed and kept, nothing is deleted (HL7 v2, chapter 3).

use dukou_fhir::{Issue, IssueType, LogicalId, Object, ResourceKey, ResourceType, Text, Value};
use dukou_identity::{Bits, Decided, Grade, Review, ReviewKind};
use dukou_mapping::{Named, Told};
use dukou_store::Condition;

use crate::apply::Sheet;
use crate::{Error, links};

impl Sheet<'_> {
    /// What forbids the decisions of a message. Then nothing of the message is applied, and a person is asked.
    pub(crate) fn barred(&mut self, told: &[Told]) -> Result<Vec<Review>, Error> {
        let mut barred = Vec::new();
        for told in told.iter().filter(|told| kind_of(told) == ResourceType::PATIENT) {
            let pair = match told {
                Told::Merge { survivor, retired } => (survivor.id.clone(), self.known(retired)?.id),
                Told::Link { one, other } => (one.id.clone(), other.id.clone()),
                Told::Change { of, old, new: None } => (of.id.clone(), self.known(old)?.id),
                Told::Move { to, moved, .. } if moved.key != *to => (to.id.clone(), self.known(moved)?.id),
                Told::Move { to, owner: Some(owner), .. } => (to.id.clone(), self.known(owner)?.id),
                _ => continue,
            };
            // A moved number comes with what was stated of the wrong patient: only what people have decided counts against it.
            let is_moved = matches!(told, Told::Move { to, moved, .. } if moved.key == *to);
            let objections = match is_moved {
                true => self.exchange.held_apart(&pair.0, &pair.1),
                false => self.exchange.objections(&pair.0, &pair.1),
            };
            if pair.0 != pair.1 && !objections.is_empty() {
                barred.push(finding(ReviewKind::VetoConflict, pair.0, Some(pair.1), objections));
            }
        }
        Ok(barred)
    }

    /// Does what the message decides, in its order.
    pub(crate) fn decide(&mut self, told: &[Told]) -> Result<(), Error> {
        for told in told {
            match told {
                Told::Merge { survivor, retired } if survivor.kind == ResourceType::PATIENT => {
                    let key = self.known(retired)?;
                    self.merge(survivor, &key, Some(retired))?;
                }
                Told::Merge { survivor, retired } => self.retire(&retired.key, survivor, retired)?,
                Told::Link { one, other } => self.link(one, other)?,
                Told::Unlink { one, other } => self.unlink(one, other)?,
                Told::Change { of, old, new } if of.kind == ResourceType::PATIENT => {
                    self.renumber(of, old, new.as_ref())?;
                }
                Told::Change { of, old, new } => self.renumber_visit(of, old, new.as_ref())?,
                Told::Move { to, moved, from, owner } if to.kind == ResourceType::PATIENT => {
                    self.move_number(to, moved, from.as_ref(), owner.as_ref())?;
                }
                Told::Move { to, moved, .. } => self.move_visit(to, moved)?,
                Told::Delete { key } => self.delete(key)?,
            }
        }
        Ok(())
    }

    /// One record goes on for another. The latest word counts: a record that was merged elsewhere before leaves there, a circle is
    /// broken where it closes.
    pub(crate) fn merge(
        &mut self,
        survivor: &ResourceKey,
        retired: &ResourceKey,
        named: Option<&Named>,
    ) -> Result<(), Error> {
        if survivor == retired {
            return Ok(());
        }
        let before = self.peek(retired)?.as_ref().and_then(links::replaced_by);
        if before.as_ref() == Some(&survivor.id) {
            return Ok(());
        }
        if before.is_some() && self.is_older(retired) {
            self.applied.issues.push(older_merge());
            return Ok(());
        }
        if let Some(old) = before {
            self.edit(retired, |content| links::remove(content, "replaced-by", &old))?;
            self.edit(&patient(&old), |content| links::remove(content, "replaces", &retired.id))?;
            self.forget_merge(&retired.id);
        }
        self.break_circle(survivor, retired)?;
        if self.peek(retired)?.is_none() {
            // The record that a merge names may never have been sent: a stub holds its place, its number and its link.
            self.journal(Decided::Create { record: retired.id.clone() });
        }
        self.edit(retired, |content| {
            if let Some(named) = named {
                links::add_number(content, &named.system, &named.value, named.kind.as_deref());
            }
            links::add(content, "replaced-by", &survivor.id);
        })?;
        self.edit(survivor, |content| links::add(content, "replaces", &retired.id))?;
        self.journal(Decided::Merge { survivor: survivor.id.clone(), retired: retired.id.clone() });
        Ok(())
    }

    /// A merge in whose place another stands is taken back, so that it does not come to life again when that one ends.
    fn forget_merge(&mut self, retired: &LogicalId) {
        if let Some(merge) = self.exchange.merge_of(retired) {
            self.journal(Decided::Unmerge { merge });
        }
    }

    /// Where the survivor itself was replaced, directly or over others, by the record that retires now, the survivor lives again.
    fn break_circle(&mut self, survivor: &ResourceKey, retired: &ResourceKey) -> Result<(), Error> {
        let Some(next) = self.peek(survivor)?.as_ref().and_then(links::replaced_by) else { return Ok(()) };
        let mut at = next.clone();
        for _ in 0..CHAIN_MAX {
            if at == retired.id {
                self.edit(survivor, |content| links::remove(content, "replaced-by", &next))?;
                self.edit(&patient(&next), |content| links::remove(content, "replaces", &survivor.id))?;
                self.forget_merge(&survivor.id);
                let line = Text::new("merges run in a circle; the latest one stands", "合并形成循环，以最近一次为准");
                let (a, b) = (survivor.id.clone(), retired.id.clone());
                self.applied.reviews.push(finding(ReviewKind::RefusedUnion, a, Some(b), vec![line]));
                return Ok(());
            }
            match self.peek(&patient(&at))?.as_ref().and_then(links::replaced_by) {
                Some(further) => at = further,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn link(&mut self, one: &ResourceKey, other: &ResourceKey) -> Result<(), Error> {
        if self.peek(one)?.is_some_and(|content| links::has(&content, "seealso", &other.id)) {
            return Ok(());
        }
        self.edit(one, |content| links::add(content, "seealso", &other.id))?;
        self.edit(other, |content| links::add(content, "seealso", &one.id))?;
        self.journal(Decided::Link { a: one.id.clone(), b: other.id.clone() });
        Ok(())
    }

    /// Unlinking takes a link back; a merge is taken back by a person only, since its results have to be told apart.
    fn unlink(&mut self, one: &ResourceKey, other: &ResourceKey) -> Result<(), Error> {
        if one == other || self.stay_merged(one, other) {
            return Ok(());
        }
        self.part(one, other)?;
        self.journal(Decided::Unlink { a: one.id.clone(), b: other.id.clone() });
        Ok(())
    }

    /// Whether merges, direct or over others, hold the two together; then a person is asked.
    fn stay_merged(&mut self, one: &ResourceKey, other: &ResourceKey) -> bool {
        let is_merged = self.exchange.merged_with(&one.id).contains(&other.id);
        if is_merged {
            self.applied.issues.push(merged_not_linked());
            let line = Text::new("the source parts two records that are merged", "来源系统拆分的两份记录已被合并");
            let pair = (one.id.clone(), Some(other.id.clone()));
            self.applied.reviews.push(finding(ReviewKind::VetoConflict, pair.0, pair.1, vec![line]));
        }
        is_merged
    }

    /// Takes away what links two records, as far as they are there.
    fn part(&mut self, one: &ResourceKey, other: &ResourceKey) -> Result<(), Error> {
        for (a, b) in [(one, other), (other, one)] {
            if self.peek(a)?.is_some() {
                self.edit(a, |content| links::remove(content, "seealso", &b.id))?;
            }
        }
        Ok(())
    }

    /// A number has another value from now on. Where the old number made a record of its own, the new one goes on for it.
    fn renumber(&mut self, of: &ResourceKey, old: &Named, new: Option<&Named>) -> Result<(), Error> {
        let until = self.event_text.clone();
        let stated = self.peek(of)?;
        let value = match new {
            Some(new) => new.value.clone(),
            None => successor(stated.as_ref(), old),
        };
        let before = self.known(old)?;
        if before != *of && (new.is_none() || self.peek(&before)?.is_some()) {
            self.merge(of, &before, Some(old))?;
        }
        for key in [of, &before] {
            if self.peek(key)?.is_some() {
                let until = until.as_deref();
                self.edit(key, |content| links::close(content, &old.system, &old.value, old.kind.as_deref(), until))?;
            }
        }
        let (system, old) = (old.system.clone(), old.value.clone());
        self.journal(Decided::IdentifierChange { record: of.id.clone(), system, old, new: value });
        Ok(())
    }

    /// A number was filed under the wrong patient. Its record leaves that patient and goes, with all data that came under the number, to
    /// the right one. No data is rewritten: they stand under the number's record.
    fn move_number(
        &mut self,
        to: &ResourceKey,
        moved: &Named,
        from: Option<&Named>,
        owner: Option<&Named>,
    ) -> Result<(), Error> {
        let (system, value) = (moved.system.clone(), moved.value.clone());
        if moved.key == *to {
            let wrong = from.map(|from| self.known(from)).transpose()?.filter(|wrong| wrong != to);
            let right = owner.map(|owner| self.known(owner)).transpose()?.filter(|right| right != to);
            if let Some(wrong) = &wrong {
                if self.stay_merged(to, wrong) {
                    return Ok(());
                }
                self.part(to, wrong)?;
                self.journal(Decided::Unlink { a: to.id.clone(), b: wrong.id.clone() });
            }
            let named = wrong.as_ref().unwrap_or(to).id.clone();
            self.journal(Decided::Move { from: named, to: to.id.clone(), system, value });
            if let Some(right) = right
                && self.peek(&right)?.is_some()
            {
                self.link(to, &right)?;
            }
            return Ok(());
        }
        let holder = self.known(moved)?;
        self.journal(Decided::Move { from: holder.id.clone(), to: to.id.clone(), system, value });
        let kind = moved.kind.as_deref();
        if holder != moved.key {
            // The number is one of several of another record, whose data do not say under which number they came.
            self.edit(&holder, |content| links::drop_number(content, &moved.system, &moved.value))?;
            let line = Text::new(
                "a number moved from one to the other; data that came under it stand under the first",
                "一个号码已由前者移至后者；以该号码归档的资料仍在前者名下",
            );
            let pair = (holder.id, Some(to.id.clone()));
            self.applied.reviews.push(finding(ReviewKind::InDoubt, pair.0, pair.1, vec![line]));
        }
        self.merge(to, &moved.key, Some(moved))?;
        self.edit(to, |content| links::add_number(content, &moved.system, &moved.value, kind))
    }

    /// What was registered in error is marked, never deleted, and a person looks at it.
    fn delete(&mut self, key: &ResourceKey) -> Result<(), Error> {
        if self.peek(key)?.is_none() {
            return Ok(());
        }
        if key.kind != ResourceType::PATIENT {
            return self.edit(key, |content| set(content, "status", "entered-in-error"));
        }
        self.edit(key, |content| {
            if let Some(patient) = content.as_object_mut() {
                patient.insert("active", false);
            }
        })?;
        let line =
            Text::new("the source deleted this person; the record is inactive", "来源系统已删除此人；该记录已停用");
        self.applied.reviews.push(finding(ReviewKind::DeletedAtSource, key.id.clone(), None, vec![line]));
        Ok(())
    }

    /// The record that an identifier names: that of its own key, else the only one that holds it, else the one to come.
    pub(crate) fn known(&mut self, named: &Named) -> Result<ResourceKey, Error> {
        if named.key.kind != ResourceType::PATIENT || self.peek(&named.key)?.is_some() {
            return Ok(named.key.clone());
        }
        let query = self.exchange.number_query(named.key.kind, &named.system, &named.value)?;
        let found = self.exchange.store.resolve(self.permit, &query)?;
        self.applied.conditions.push(Condition::Matches { query, found: found.clone() });
        match <[ResourceKey; 1]>::try_from(found) {
            Ok([only]) => Ok(only),
            Err(_) => Ok(named.key.clone()),
        }
    }

    fn is_older(&self, key: &ResourceKey) -> bool {
        let Some(row) = self.places.get(key).map(|place| &self.rows[*place]) else { return false };
        let stored =
            row.current.as_ref().filter(|version| !version.is_deleted()).and_then(|version| version.event_time);
        matches!((stored, self.event_time), (Some(stored), Some(event)) if event < stored)
    }
}

/// The number that stands in place of an old one: of the same authority and type, and another.
fn successor(content: Option<&Value<'_>>, old: &Named) -> String {
    let all = content.map(|content| content.list_at("identifier")).unwrap_or_default();
    let fits = |one: &&Value<'_>| {
        one.text_at("system").unwrap_or_default() == old.system && one.text_at("value") != Some(old.value.as_str())
    };
    let value = all.iter().find(fits).and_then(|one| one.text_at("value"));
    value.unwrap_or_default().to_owned()
}

pub(crate) fn set(content: &mut Value<'static>, member: &'static str, text: &'static str) {
    if let Some(object) = content.as_object_mut() {
        object.insert(member, text);
    }
}

/// A finding that rests on no score. Somebody has decided anew, so it is asked even where it was settled before.
pub(crate) fn finding(kind: ReviewKind, record: LogicalId, other: Option<LogicalId>, lines: Vec<Text>) -> Review {
    Review { kind, record, other, grade: Grade::None, bits: Bits(0), lines, model: String::new(), again: true }
}

pub(crate) fn patient(id: &LogicalId) -> ResourceKey {
    ResourceKey::new(ResourceType::PATIENT, id.clone())
}

/// A Patient of whom nothing is known.
pub(crate) fn stub(kind: ResourceType) -> Value<'static> {
    Value::Object(Object::new().with("resourceType", kind.as_str()))
}

fn kind_of(told: &Told) -> ResourceType {
    match told {
        Told::Merge { survivor: key, .. }
        | Told::Link { one: key, .. }
        | Told::Unlink { one: key, .. }
        | Told::Move { to: key, .. }
        | Told::Change { of: key, .. }
        | Told::Delete { key } => key.kind,
    }
}

/// Said to a sender whose decision waits for a person.
pub(crate) fn veto_conflict() -> Issue {
    let en = "something forbids to join these two records; nothing of the message was applied, a person decides";
    let zh = "存在否决证据，不能合并这两份记录；消息已保存但未应用，等待人工确认";
    Issue::warning(IssueType::BusinessRule, VETO_CONFLICT, Text::new(en, zh)).at("MRG-1")
}

fn older_merge() -> Issue {
    let en = "the record was merged elsewhere by a later event; this merge is left as history";
    let zh = "该记录已被较晚的事件合并到别处；本次合并不再应用";
    Issue::warning(IssueType::Conflict, "older-event", Text::new(en, zh)).at("MRG-1")
}

fn merged_not_linked() -> Issue {
    let en = "the two records are merged, not linked; a person takes a merge back with $unmerge";
    let zh = "两份记录是合并而非关联；请由人工使用 $unmerge 撤销合并";
    Issue::warning(IssueType::BusinessRule, "merged-not-linked", Text::new(en, zh)).at("PID-3")
}

/// The code of the warning that goes back with an AA.
pub(crate) const VETO_CONFLICT: &str = "veto-conflict";

/// Merges one after another, at most; a longer chain is looked at no further.
const CHAIN_MAX: usize = 100;
