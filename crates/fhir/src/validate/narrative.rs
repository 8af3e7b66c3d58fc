//! The XHTML of a narrative: well-formed, only formatting, nothing active (R4 narrative, txt-1 and txt-2).

use crate::Value;

/// Why a text is no narrative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NarrativeFault {
    /// Not one `div` in the XHTML namespace.
    NotADiv,
    /// Tags that do not match, bare ampersands, unquoted attributes.
    NotWellFormed,
    /// An element that is not for formatting: scripts, forms, frames.
    ForbiddenElement,
    /// An event attribute, or a link that runs a script.
    ForbiddenAttribute,
    /// Neither text nor image.
    Empty,
}

/// Checks the value of `Narrative.div`.
pub(super) fn check(value: &Value<'_>) -> Result<(), NarrativeFault> {
    let text = value.as_str().ok_or(NarrativeFault::NotADiv)?.trim();
    if !text.starts_with("<div") {
        return Err(NarrativeFault::NotADiv);
    }
    let mut scan = Scan { rest: text, open: Vec::new(), has_content: false };
    scan.run()?;
    if scan.has_content { Ok(()) } else { Err(NarrativeFault::Empty) }
}

struct Scan<'t> {
    rest: &'t str,
    open: Vec<&'t str>,
    has_content: bool,
}

impl<'t> Scan<'t> {
    fn run(&mut self) -> Result<(), NarrativeFault> {
        loop {
            if let Some(comment) = self.rest.strip_prefix("<!--") {
                self.rest = comment.split_once("-->").ok_or(NarrativeFault::NotWellFormed)?.1;
            } else if let Some(tag) = self.rest.strip_prefix("</") {
                let (name, rest) = tag.split_once('>').ok_or(NarrativeFault::NotWellFormed)?;
                if self.open.pop() != Some(name.trim_end()) {
                    return Err(NarrativeFault::NotWellFormed);
                }
                self.rest = rest;
            } else if let Some(tag) = self.rest.strip_prefix('<') {
                self.start_tag(tag)?;
            } else {
                self.text()?;
            }
            if self.open.is_empty() {
                return if self.rest.is_empty() { Ok(()) } else { Err(NarrativeFault::NotADiv) };
            }
            if self.rest.is_empty() {
                return Err(NarrativeFault::NotWellFormed);
            }
        }
    }

    /// Takes text up to the next tag; an ampersand starts an entity.
    fn text(&mut self) -> Result<(), NarrativeFault> {
        let (text, rest) = self.rest.split_at(self.rest.find('<').unwrap_or(self.rest.len()));
        self.has_content |= text.chars().any(|letter| !letter.is_whitespace());
        self.rest = rest;
        check_entities(text)
    }

    fn start_tag(&mut self, tag: &'t str) -> Result<(), NarrativeFault> {
        let end = tag.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(tag.len());
        let (name, mut rest) = tag.split_at(end);
        if name.is_empty() {
            return Err(NarrativeFault::NotWellFormed);
        }
        if !FORMATTING.contains(&name) {
            return Err(NarrativeFault::ForbiddenElement);
        }
        let mut in_namespace = !self.open.is_empty();
        loop {
            let next = rest.trim_start();
            if let Some(after) = next.strip_prefix("/>") {
                self.rest = after;
                break;
            }
            if let Some(after) = next.strip_prefix('>') {
                self.rest = after;
                self.open.push(name);
                break;
            }
            if next.len() == rest.len() {
                return Err(NarrativeFault::NotWellFormed);
            }
            let (attribute, value, after) = attribute(next).ok_or(NarrativeFault::NotWellFormed)?;
            check_attribute(attribute, value)?;
            in_namespace |= attribute == "xmlns" && value == XHTML;
            rest = after;
        }
        self.has_content |= name == "img";
        if in_namespace { Ok(()) } else { Err(NarrativeFault::NotADiv) }
    }
}

/// Takes `name="value"` and gives name, value and what follows.
fn attribute(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    let name = name.trim_end();
    let named = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_-.".contains(&byte));
    let rest = rest.trim_start();
    let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let (value, rest) = rest[1..].split_once(quote)?;
    (named && !value.contains('<')).then_some((name, value, rest))
}

fn check_attribute(name: &str, value: &str) -> Result<(), NarrativeFault> {
    let target = value.trim_start().to_ascii_lowercase();
    if name.to_ascii_lowercase().starts_with("on") || target.starts_with("javascript:") {
        return Err(NarrativeFault::ForbiddenAttribute);
    }
    check_entities(value)
}

fn check_entities(text: &str) -> Result<(), NarrativeFault> {
    for after in text.split('&').skip(1) {
        let name = after.split_once(';').map_or("", |(name, _)| name);
        let name = name.strip_prefix('#').unwrap_or(name);
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(NarrativeFault::NotWellFormed);
        }
    }
    Ok(())
}

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// The elements of HTML 4.0 chapters 7 to 11 and 15, anchors and images.
const FORMATTING: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "area",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "map",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(inner: &str) -> Result<(), NarrativeFault> {
        check(&Value::from(format!("<div xmlns=\"{XHTML}\">{inner}</div>")))
    }

    #[test]
    fn formatted_text_is_a_narrative() {
        for inner in [
            "text",
            "<p>a &amp; b &#160;</p><br/>",
            "<img src='#x' alt=\"\"/>",
            "<!-- note --><table><tr><td>1</td></tr></table>",
        ] {
            assert_eq!(judged(inner), Ok(()), "{inner}");
        }
    }

    #[test]
    fn what_could_act_is_refused() {
        assert_eq!(judged("<script>x</script>"), Err(NarrativeFault::ForbiddenElement));
        assert_eq!(judged("<p onclick=\"x\">a</p>"), Err(NarrativeFault::ForbiddenAttribute));
        assert_eq!(judged("<a href=\" JavaScript:x\">a</a>"), Err(NarrativeFault::ForbiddenAttribute));
    }

    #[test]
    fn markup_must_be_well_formed() {
        for inner in ["<p>a", "<p>a</b>", "a & b", "<p class=x>a</p>", "<![CDATA[a]]>", "<p", "<"] {
            assert_eq!(judged(inner), Err(NarrativeFault::NotWellFormed), "{inner}");
        }
    }

    #[test]
    fn one_div_of_the_namespace_with_some_content_is_wanted() {
        assert_eq!(judged("  <p/> "), Err(NarrativeFault::Empty));
        for text in ["text", "<div>no namespace</div>", "<p>a</p>", "<divx>a</divx>"] {
            assert!(check(&Value::from(text)).is_err(), "{text}");
        }
        assert_eq!(judged("a</div><div>b"), Err(NarrativeFault::NotADiv));
    }
}
