//! Readings and simplified forms of Chinese characters as the two lean tables that `identity` reads.
//!
//! The folder holds `Unihan_Readings.txt` and `Unihan_Variants.txt` of the Unicode Character Database.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use crate::schema::Fault;

/// Reads the two files and writes the two tables; gives a report of what was written.
pub(crate) fn make(unihan: &Path, tables: &Path) -> Result<String, Fault> {
    let (readings_file, variants_file) = (unihan.join("Unihan_Readings.txt"), unihan.join("Unihan_Variants.txt"));
    let readings = readings(&properties(&readings_file)?);
    let simplified = simplified(&properties(&variants_file)?);
    std::fs::create_dir_all(tables)?;
    let mut report = String::new();
    for (file, from, head, body) in [
        ("readings.tsv", &readings_file, READINGS_HEAD, readings),
        ("simplified.tsv", &variants_file, SIMPLIFIED_HEAD, simplified),
    ] {
        let version = version(from)?;
        std::fs::write(tables.join(file), format!("# Unihan database, {version}, {LICENCE}{head}{body}"))?;
        writeln!(report, "{file}: {} lines, {} bytes", body.lines().count(), body.len())?;
    }
    Ok(report)
}

/// The values of each property by character.
type Properties = BTreeMap<String, BTreeMap<char, String>>;

fn properties(file: &Path) -> Result<Properties, Fault> {
    let text = std::fs::read_to_string(file).map_err(|fault| format!("reading {}: {fault}", file.display()))?;
    let mut found = Properties::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [code, property, value] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let character = scalar(code).ok_or_else(|| format!("{}: {code} is no character", file.display()))?;
        found.entry(property.to_owned()).or_default().insert(character, value.to_owned());
    }
    Ok(found)
}

/// What the head of a file says of its version.
fn version(file: &Path) -> Result<String, Fault> {
    let text = std::fs::read_to_string(file).map_err(|fault| format!("reading {}: {fault}", file.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("# Unicode version: "));
    let version = line.ok_or_else(|| format!("{} does not say its Unicode version", file.display()))?;
    Ok(format!("Unicode {}", version.trim()))
}

fn scalar(code: &str) -> Option<char> {
    u32::from_str_radix(code.strip_prefix("U+")?, 16).ok().and_then(char::from_u32)
}

/// One line a list of readings: the readings, the usual one first, and every character that has exactly these.
fn readings(properties: &Properties) -> String {
    let mut lists: BTreeMap<char, Vec<String>> = BTreeMap::new();
    for property in ["kMandarin", "kHanyuPinlu", "kTGHZ2013", "kXHC1983"] {
        for (character, value) in properties.get(property).into_iter().flatten() {
            let list = lists.entry(*character).or_default();
            for syllable in syllables(value) {
                if !list.contains(&syllable) {
                    list.push(syllable);
                }
            }
        }
    }
    let mut rows: BTreeMap<Vec<String>, String> = BTreeMap::new();
    for (character, list) in lists {
        rows.entry(list).or_default().push(character);
    }
    let singles: BTreeSet<String> = rows.keys().flatten().cloned().collect();
    for single in singles {
        rows.entry(vec![single]).or_default();
    }
    rows.iter().map(|(list, characters)| format!("{}\t{characters}\n", list.join(" "))).collect()
}

/// The syllables of a value such as `dān(603)`, `036.140:chán,dān` or `dān shàn`.
fn syllables(value: &str) -> Vec<String> {
    value
        .split([' ', ','])
        .map(|part| part.rsplit(':').next().unwrap_or(part))
        .map(|part| part.split('(').next().unwrap_or(part).chars().filter_map(plain).collect())
        .filter(|syllable: &String| !syllable.is_empty())
        .collect()
}

/// The capital letter without its tone; ü is V, as keyboards have it.
fn plain(letter: char) -> Option<char> {
    let bare = match letter {
        'ā' | 'á' | 'ǎ' | 'à' => 'a',
        'ē' | 'é' | 'ě' | 'è' | 'ê' | 'ế' | 'ề' => 'e',
        'ī' | 'í' | 'ǐ' | 'ì' => 'i',
        'ō' | 'ó' | 'ǒ' | 'ò' => 'o',
        'ū' | 'ú' | 'ǔ' | 'ù' => 'u',
        'ü' | 'ǖ' | 'ǘ' | 'ǚ' | 'ǜ' => 'v',
        'ń' | 'ň' | 'ǹ' => 'n',
        'ḿ' => 'm',
        other => other,
    };
    bare.is_ascii_alphabetic().then(|| bare.to_ascii_uppercase())
}

/// One line a simplified form: the form and every character that is written so in simplified text.
fn simplified(properties: &Properties) -> String {
    let forms: BTreeMap<char, char> = properties
        .get("kSimplifiedVariant")
        .into_iter()
        .flatten()
        .filter_map(|(character, value)| Some((*character, form(*character, value)?)))
        .collect();
    let mut rows: BTreeMap<char, String> = BTreeMap::new();
    for character in forms.keys() {
        let mut end = *character;
        // A form may itself be simplified further; eight steps are more than any has.
        for _ in 0..8 {
            end = forms.get(&end).copied().unwrap_or(end);
        }
        if end != *character {
            rows.entry(end).or_default().push(*character);
        }
    }
    rows.iter().map(|(form, characters)| format!("{form}\t{characters}\n")).collect()
}

/// A character that also stays as it is in simplified text keeps its form, but for those of [`GIVES_WAY`].
fn form(character: char, value: &str) -> Option<char> {
    let candidates: Vec<char> = value.split(' ').filter_map(scalar).collect();
    if candidates.contains(&character) && !GIVES_WAY.contains(&character) {
        return None;
    }
    candidates.into_iter().find(|candidate| *candidate != character)
}

/// Characters that stay in a few words only; in a name their simplified form is the usual one.
const GIVES_WAY: [char; 3] = ['復', '徵', '裡'];

const LICENCE: &str =
    "from unicode.org/Public/UCD by `cargo xtask unihan`; do not edit. Licence Unicode-3.0: LICENSE-UNICODE here.\n";
const READINGS_HEAD: &str = "# Readings in pinyin without tones, the usual one first (kMandarin, kHanyuPinlu, kTGHZ2013, kXHC1983); characters read so.\n";
const SIMPLIFIED_HEAD: &str = "# Simplified form; characters that are written so (kSimplifiedVariant).\n";
