//! Printing a message for a receiver who reads another character set.

use crate::draft::PrintError;
use crate::{Message, Place, Segment, Target, escape};

impl Message<'_> {
    /// The bytes of an ER7 message in the character set of a receiver, whose name for it stands in MSH-18. Every
    /// delimiter, line end and escape stays, apart from characters in hexadecimal digits, which get those of the new set;
    /// a byte order mark is dropped.
    ///
    /// # Errors
    /// When the receiver's character set lacks a character; the error names the first such place.
    pub fn print_for(&self, target: &Target) -> Result<Vec<u8>, PrintError> {
        let mut bytes = Vec::with_capacity(self.raw().len() + self.raw().len() / 2);
        let mut at = 0;
        for segment in self.segments() {
            let span = segment.span();
            bytes.extend_from_slice(&self.text().as_bytes()[at..span.start as usize]);
            self.print_segment(segment, target, &mut bytes)?;
            at = span.end as usize;
        }
        bytes.extend_from_slice(&self.text().as_bytes()[at..]);
        Ok(bytes)
    }

    fn print_segment(&self, segment: Segment<'_>, target: &Target, bytes: &mut Vec<u8>) -> Result<(), PrintError> {
        let mut raw = segment.raw();
        let mut tail = String::new();
        if segment.is_header() {
            // The encoding characters are delimiters by definition.
            let declared = segment.field(2).span().end - segment.span().start;
            let unencodable = |_| self.unencodable(segment, target);
            target.encode_into(&raw[..declared as usize], bytes).map_err(unencodable)?;
            raw = &raw[declared as usize..];
            if segment.index() == 0 && segment.id() == "MSH" {
                let stated = segment.field(18);
                let from = (stated.span().start - segment.span().start - declared) as usize;
                let (before, named) = raw.split_at(from.min(raw.len()));
                let missing = usize::from(18 - segment.field_count().min(18));
                let separators = String::from(char::from(self.delimiters().field)).repeat(missing);
                let name = escape::encode(target.name(), self.delimiters()).unwrap_or_default();
                tail = separators + &name + &named[stated.raw().len()..];
                raw = before;
            }
        }
        for part in [raw, &tail] {
            let recoded = escape::recode(part, self.delimiters(), self.charset(), target.charset());
            target.encode_into(&recoded, bytes).map_err(|_| self.unencodable(segment, target))?;
        }
        Ok(())
    }

    /// The first leaf of a segment that the receiver cannot read.
    fn unencodable(&self, segment: Segment<'_>, target: &Target) -> PrintError {
        let beyond = |text: &str| target.encode_into(text, &mut Vec::new()).err();
        let leaves = self.leaves().filter(|leaf| leaf.segment as usize == segment.index());
        let found = leaves.filter_map(|leaf| {
            let text = leaf.node.text();
            let character = text[..beyond(&text)?].chars().count() + 1;
            Some((Place::at(leaf.field, leaf.repetition, leaf.component, leaf.subcomponent), character))
        });
        let (place, character) = found.into_iter().next().unwrap_or((Place::field(0), 1));
        PrintError::Unencodable { path: place.in_segment(segment.path()), character, charset: target.name().to_owned() }
    }
}
