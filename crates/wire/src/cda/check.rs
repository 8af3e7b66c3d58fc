//! How a document deviates from CDA and from WS/T 500. Each finding is told, and the document stays as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::names::{Spelling, spelling};
use super::{DocumentType, by_code, by_template, entries, is_document, presence, sections};
use crate::issue::{Issue, IssueCode, IssueList};
use crate::message::Locator;
use crate::{Element, Limits, Message, Path, Presence, Step};

/// Names what deviates in a document; nothing of a message that is none. The issues stand in the order of the document.
#[must_use]
pub fn check(message: &Message<'_>, limits: &Limits) -> Vec<Issue> {
    let Some(root) = message.root().filter(|_| is_document(message)) else { return Vec::new() };
    let mut findings =
        Findings { issues: IssueList::new(limits), spellings: BTreeMap::new(), systems: BTreeMap::new() };
    head(root, &mut findings);
    for element in root.descendants() {
        elements(element, &mut findings);
        code_systems(element, &mut findings);
    }
    for section in sections(message) {
        let narrative = section.element().child("text");
        if narrative.is_none_or(|text| text.content().trimmed().is_empty()) {
            findings.tell(IssueCode::CdaTextEmpty, narrative.unwrap_or(section.element()));
        }
    }
    if by_template(root).or_else(|| by_code(root)) == DocumentType::new(LABORATORY_REPORT) {
        counts(message, &mut findings);
    }
    let mut issues = findings.issues.into_vec();
    issues.sort_by_key(|issue| (issue.code == IssueCode::MoreIssues, issue.text_offset));
    let mut locator = Locator::new(message);
    for issue in &mut issues {
        issue.raw_offset = locator.raw_offset(issue.text_offset);
    }
    issues
}

struct Findings<'m> {
    issues: IssueList,
    /// The names that were looked up already.
    spellings: BTreeMap<&'m str, Spelling>,
    /// What each code system was called first.
    systems: BTreeMap<Cow<'m, str>, Cow<'m, str>>,
}

impl Findings<'_> {
    fn tell(&mut self, code: IssueCode, element: Element<'_>) {
        self.issues.push(|| Issue::new(code, element.span().start).with_path(element.path()));
    }

    fn tell_attribute(&mut self, code: IssueCode, element: Element<'_>, name: &str) {
        let path = || {
            let mut steps = element.path().steps().unwrap_or_default().to_vec();
            steps.push(Step::Attribute { name: name.to_owned() });
            Path::in_tree(steps)
        };
        self.issues.push(|| Issue::new(code, element.attribute(name).span().start).with_path(path()));
    }
}

/// The head: document type and set id.
fn head(root: Element<'_>, findings: &mut Findings<'_>) {
    let (template, code) = (by_template(root), by_code(root));
    if template.is_none() && code.is_none() || (template.is_some() && code.is_some() && template != code) {
        findings.tell(IssueCode::CdaTypeDoubtful, root.child("templateId").or(root.child("code")).unwrap_or(root));
    }
    if let Some(code) = root.child("code").filter(|_| by_code(root).is_some()) {
        expect_system(code, DOCUMENT_TYPES, findings);
    }
    let set = root.child("setId");
    if set.is_none_or(|set| presence(&set.attribute("extension")) != Presence::Value && !has_value(set, "root")) {
        findings.tell(IssueCode::CdaSetIdMissing, set.unwrap_or(root));
    }
}

fn has_value(element: Element<'_>, name: &str) -> bool {
    presence(&element.attribute(name)) == Presence::Value
}

/// What can be wrong with any element: its name, its identifier, the blanks around what is shown.
fn elements<'m>(element: Element<'m>, findings: &mut Findings<'m>) {
    let name = element.name();
    match *findings.spellings.entry(name).or_insert_with(|| spelling(name)) {
        Spelling::Known => {}
        Spelling::Misspelt => findings.tell(IssueCode::CdaElementMisspelt, element),
        Spelling::Foreign => findings.tell(IssueCode::CdaElementForeign, element),
    }
    if name == "id" && !has_value(element, "extension") && has_value(element, "root") {
        let written = element.attribute("extension").presence() != Presence::Absent;
        match written {
            true => findings.tell_attribute(IssueCode::CdaIdEmpty, element, "extension"),
            // An identifier may be a root alone, if it is a UUID.
            false if element.attribute("root").raw().contains('-') => {}
            false => findings.tell(IssueCode::CdaIdEmpty, element),
        }
    }
    let shown = element.attribute("displayName");
    if shown.presence() == Presence::Value && shown.text() != shown.trimmed() {
        findings.tell_attribute(IssueCode::CdaDisplayBlanks, element, "displayName");
    }
}

/// Codes whose system the standard fixes, and systems that are called differently within one document.
fn code_systems<'m>(element: Element<'m>, findings: &mut Findings<'m>) {
    if element.name() == "code" {
        let code = element.attribute("code").trimmed();
        if code.starts_with("DE") && code.len() == DATA_ELEMENT_LENGTH {
            expect_system(element, DATA_ELEMENTS, findings);
        } else if is_loinc(&code) && element.parent().is_some_and(|parent| parent.name() == "section") {
            expect_system(element, LOINC, findings);
        }
    }
    let (system, name) = (element.attribute("codeSystem").trimmed(), element.attribute("codeSystemName").trimmed());
    if system.is_empty() || name.is_empty() {
        return;
    }
    let known = findings.systems.entry(system).or_insert_with(|| name.clone());
    if *known != name {
        findings.tell_attribute(IssueCode::CdaCodeSystemReused, element, "codeSystemName");
    }
}

fn expect_system(element: Element<'_>, expected: &str, findings: &mut Findings<'_>) {
    let system = element.attribute("codeSystem");
    if system.presence() == Presence::Value && system.trimmed() != expected {
        findings.tell_attribute(IssueCode::CdaCodeSystem, element, "codeSystem");
    }
}

/// Digits, a dash, a check digit.
fn is_loinc(code: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    code.split_once('-').is_some_and(|(number, check)| digits(number) && digits(check) && check.len() == 1)
}

/// Of a laboratory report: data elements that occur several times in one section belong together by their order, so they
/// must occur equally often.
fn counts(message: &Message<'_>, findings: &mut Findings<'_>) {
    let mut by_section: BTreeMap<usize, BTreeMap<String, (u64, Element<'_>)>> = BTreeMap::new();
    for entry in entries(message) {
        let code = entry.code();
        if !code.starts_with("DE") {
            continue;
        }
        let section = entry.element().ancestors().find(|around| around.name() == "section");
        let counted = by_section.entry(section.map_or(0, |section| section.index())).or_default();
        counted.entry(code.into_owned()).or_insert((0, entry.element())).0 += 1;
    }
    for counted in by_section.values() {
        let most = counted.values().map(|(count, _)| *count).max().unwrap_or(0);
        // What occurs once speaks for the whole section, such as a method.
        for (count, element) in counted.values().filter(|(count, _)| *count > 1 && *count != most) {
            let issue = || Issue::new(IssueCode::CdaCountsUnequal, element.span().start).with_numbers(most, *count);
            findings.issues.push(|| issue().with_path(element.path()));
        }
    }
}

/// C0007.
const LABORATORY_REPORT: u8 = 7;
const DOCUMENT_TYPES: &str = "2.16.156.10011.2.4";
const DATA_ELEMENTS: &str = "2.16.156.10011.2.2.1";
const LOINC: &str = "2.16.840.1.113883.6.1";
/// `DE05.01.024.00`
const DATA_ELEMENT_LENGTH: usize = 14;
