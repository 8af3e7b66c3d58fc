//! What a receiver can take: texts that are too long are cut where an overlay allows it, else left out; both are told.

use std::borrow::Cow;

use dukou_fhir::{Issue, IssueType, Severity, Text};

use super::run::Back;
use crate::plan::{LimitPlan, Root};

impl Back<'_> {
    /// Keeps every text within the limits of the receiver (HL7 v2 chapter 2, length of fields).
    pub(crate) fn keep_limits(&mut self) {
        let program = self.program;
        for limit in program.maps.iter().flat_map(|map| &map.limits) {
            let (Root::Nearest(id) | Root::Group(_, id, _) | Root::Beside(id, _)) = &limit.path.root else { continue };
            self.limit(id, limit);
        }
    }

    fn limit(&mut self, id: &str, limit: &LimitPlan) {
        let open = |asked: u16, found: u16| asked == 0 || asked == found;
        for written in &mut self.draft.journal {
            let spot = written.spot;
            let meant = self.draft.segments[spot.segment as usize].id == id
                && spot.field == limit.path.field
                && open(limit.path.component, spot.component)
                && open(limit.path.subcomponent, spot.subcomponent);
            let most = limit.characters_max as usize;
            let Some((end, _)) = written.text.char_indices().nth(most).filter(|_| meant && !written.dead) else {
                continue;
            };
            let path = format!("{id}-{}.{}", spot.field, spot.component.max(1));
            let (code, severity, en, zh) = if limit.cut {
                written.text = Cow::Owned(written.text[..end].to_owned());
                let en = format!("the text is longer than the {most} characters that the receiver takes; it is cut");
                ("too-long-cut", Severity::Warning, en, format!("文本超过接收方允许的 {most} 个字符，已截断"))
            } else {
                written.dead = true;
                let en =
                    format!("the text is longer than the {most} characters that the receiver takes; it is left out");
                ("too-long", Severity::Error, en, format!("文本超过接收方允许的 {most} 个字符，未写入"))
            };
            self.issues.push(Issue::new(severity, IssueType::TooLong, code, Text::new(en, zh)).at(path));
        }
    }
}
