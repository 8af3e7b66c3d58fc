//! Bytes of any format that the maps of a program read, as a message.

use dukou_wire::{Format, Issue, Limits, Message, NotAMessage, cda, delimited, er7, json, sniff, xml};

use crate::plan::Program;
use crate::reading::Reading;
use crate::source_plan::{RowsSource, SourcePlan};

impl Program {
    /// Reads bytes of whatever format: HL7 v2, XML, JSON, or rows in the layout that some map declares for them. Where no
    /// declared layout fits, the first one is tried, and without any that of CSV with a row of names.
    ///
    /// # Errors
    /// When the bytes are no message of their format, or larger than allowed.
    pub fn open<'a>(
        &self,
        bytes: &'a [u8],
        limits: &Limits,
        site: &dukou_wire::Site,
    ) -> Result<(Message<'a>, Vec<Issue>), NotAMessage> {
        match sniff(bytes) {
            Format::Er7 => er7::parse(bytes, limits, site),
            Format::Xml => {
                let (message, mut issues) = xml::parse(bytes, limits, site)?;
                if cda::is_document(&message) {
                    issues.extend(cda::check(&message, limits));
                }
                Ok((message, issues))
            }
            Format::Json => json::parse(bytes, limits),
            Format::Delimited => {
                let layout = self.fitting(bytes, limits, site).map(|rows| &rows.layout);
                delimited::parse(bytes, layout.unwrap_or(&delimited::Layout::csv()), limits, site)
            }
        }
    }

    /// The document that a message holds as text and that a map speaks of, where none speaks of the message itself: a SOAP
    /// envelope around a string of XML says nothing that a map could read.
    pub fn wrapped<'m>(
        &self,
        message: &'m Message<'m>,
        limits: &Limits,
        site: &dukou_wire::Site,
    ) -> Option<(Message<'m>, Vec<Issue>)> {
        if self.speaks_of(message) {
            return None;
        }
        let documents = xml::wrapped(message).filter_map(|element| xml::inner(element, limits, site).ok());
        documents.into_iter().find(|(inner, _)| self.speaks_of(inner))
    }

    /// Whether any map is meant for the message, whatever it holds.
    pub fn speaks_of(&self, message: &Message<'_>) -> bool {
        if message.format() == Format::Er7 {
            return true;
        }
        let reading = Reading::new(message);
        self.maps.iter().any(|map| map.documents.apply(&reading))
    }

    /// The source whose layout reads the first rows as it declares them.
    fn fitting(&self, bytes: &[u8], limits: &Limits, site: &dukou_wire::Site) -> Option<&RowsSource> {
        let sources = || {
            self.maps.iter().filter_map(|map| match &map.documents.source {
                SourcePlan::Rows(rows) => Some(&**rows),
                _ => None,
            })
        };
        let first = bytes.get(..LOOK_BYTES).map_or(bytes, |part| {
            let end = part.iter().rposition(|byte| *byte == b'\n').map_or(part.len(), |at| at + 1);
            &part[..end]
        });
        let fits = |rows: &&RowsSource| {
            delimited::parse(first, &rows.layout, limits, site).is_ok_and(|(message, _)| rows.fits(&message))
        };
        sources().find(fits).or_else(|| sources().next())
    }
}

/// How many bytes of a file are looked at to tell its layout.
const LOOK_BYTES: usize = 16 * 1024;
