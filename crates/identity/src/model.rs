//! The model: which fields are compared, what each level of agreement is worth, and where the lines are drawn. One file, read whole.

use dukou_fhir::Text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::block::TextBlock;
use crate::measure::Measure;
use crate::person::Bits;
use crate::stated::Class;

/// A model that can be used: every name in its file is known and every level has its weight.
#[derive(Clone, Debug)]
pub struct Model {
    file: ModelFile,
    version: String,
    pub(crate) fields: Vec<Field>,
    pub(crate) prior: Bits,
    pub(crate) lifelong: Vec<Class>,
    pub(crate) strong: Vec<Class>,
    pub(crate) personal: Vec<Class>,
    pub(crate) caps: Vec<(String, Bits)>,
    /// Further texts of the records that are compared, by name.
    pub(crate) texts: Vec<String>,
    pub(crate) blocks: Vec<TextBlock>,
}

/// A field as it is compared.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) label: Text,
    pub(crate) measure: Measure,
    /// Evidence by level, as `Measure::levels` lists them.
    pub(crate) bits: Vec<Bits>,
    /// The cap that the field falls under.
    pub(crate) cap: Option<usize>,
}

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The text is no model file.
    #[error("reading the model {name}")]
    Syntax {
        /// The name under which it was loaded.
        name: String,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A field, level, class or cap is not known, or a weight is missing.
    #[error("model {name}, {place}: {reason}")]
    Meaning {
        /// The name under which it was loaded.
        name: String,
        /// The table or key.
        place: String,
        /// What is wrong and what would do.
        reason: String,
    },
}

/// The file as it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelFile {
    /// Name of the model.
    pub(crate) name: String,
    /// Date of the training, or of the last edit.
    pub(crate) date: String,
    /// log2 of the odds that two records that met in a block are one person.
    pub(crate) prior: f64,
    pub(crate) classes: Classes,
    pub(crate) grades: Grades,
    #[serde(default)]
    pub(crate) placeholders: Placeholders,
    #[serde(default)]
    pub(crate) caps: std::collections::BTreeMap<String, f64>,
    #[serde(rename = "field")]
    pub(crate) fields: Vec<FieldFile>,
    /// Further texts under which records meet.
    #[serde(default, rename = "block", skip_serializing_if = "Vec::is_empty")]
    pub(crate) blocks: Vec<BlockFile>,
    /// Score in bits and the probability at it, rising; between two points the log odds are straight.
    #[serde(default)]
    pub(crate) calibration: Vec<[f64; 2]>,
}

/// What classes of numbers are good for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Classes {
    /// Two different good numbers are two people.
    pub(crate) lifelong: Vec<String>,
    /// Agreement may be enough together with the name and the birth date.
    pub(crate) strong: Vec<String>,
    /// Given to a person, not to a card.
    pub(crate) personal: Vec<String>,
}

/// Where the grades begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Grades {
    /// A second person within so many bits forbids certainty.
    pub(crate) margin: f64,
    /// From here on two records are one person by their bits alone; nothing where only evidence of the right kind is enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certain: Option<f64>,
    /// From here on a candidate is listed.
    pub(crate) possible: f64,
    /// A telephone with more holders than this says nothing.
    pub(crate) phone_holders_max: usize,
    /// Last year of birth for which a lunar date may stand for the solar one.
    pub(crate) lunar_until: u16,
    /// A block of more records is passed over.
    pub(crate) block_max: usize,
}

/// Values that stand where none is known.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placeholders {
    #[serde(default)]
    pub(crate) numbers: Vec<String>,
}

/// One field of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldFile {
    /// The field: `name`, `birth-date`, `sex`, `phone`, `address`, or the name of a further field of the records.
    pub(crate) name: String,
    /// What a reader sees, in English and Chinese.
    pub(crate) label: [String; 2],
    /// How it is compared; for numbers by class.
    pub(crate) compare: String,
    /// Classes of numbers, for `compare = "number"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) classes: Vec<String>,
    /// The field with which a text may have changed places, for `compare = "text"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) or: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cap: Option<String>,
    /// Bits by level.
    pub(crate) bits: std::collections::BTreeMap<String, f64>,
}

/// Texts that records have in common where they meet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct BlockFile {
    /// Names of fields with `compare = "text"`.
    pub(crate) texts: Vec<String>,
    /// Whether they may have changed places.
    #[serde(default)]
    pub(crate) any_order: bool,
}

impl FieldFile {
    /// The field as it is compared, or what is wrong with it.
    fn read(&self, classes: Vec<Class>, caps: &[(String, Bits)], texts: &[String]) -> Result<Field, String> {
        let or = self.or.as_deref();
        if let Some(strange) = or.filter(|or| !texts.iter().any(|text| text == or)) {
            return Err(unknown(strange, &texts.iter().map(String::as_str).collect::<Vec<_>>()));
        }
        let measure = Measure::parse(&self.compare, &self.name, classes, texts, or)
            .ok_or_else(|| unknown(&self.compare, Measure::NAMES))?;
        let levels = measure.levels();
        if let Some(strange) = self.bits.keys().find(|level| !levels.contains(&level.as_str())) {
            return Err(unknown(strange, levels));
        }
        let weight =
            |level: &&str| self.bits.get(*level).map(|bits| bits_of(*bits)).ok_or(format!("write bits for {level}"));
        let bits = levels.iter().map(weight).collect::<Result<Vec<Bits>, String>>()?;
        let known = |cap: &String| {
            let names: Vec<&str> = caps.iter().map(|(name, _)| name.as_str()).collect();
            names.iter().position(|name| name == cap).ok_or_else(|| unknown(cap, &names))
        };
        let cap = self.cap.as_ref().map(known).transpose()?;
        let label = Text::new(self.label[0].clone(), self.label[1].clone());
        Ok(Field { name: self.name.clone(), label, measure, bits, cap })
    }
}

impl BlockFile {
    fn read(&self, texts: &[String]) -> Result<TextBlock, String> {
        let names = || texts.iter().map(String::as_str).collect::<Vec<_>>();
        let place = |name: &String| texts.iter().position(|text| text == name).ok_or_else(|| unknown(name, &names()));
        let texts = self.texts.iter().map(place).collect::<Result<Vec<usize>, String>>()?;
        Ok(TextBlock { texts, any_order: self.any_order })
    }
}

impl Model {
    /// Reads a model. `name` is what errors call it, such as its path.
    ///
    /// # Errors
    /// The text is no model file, or a name in it is not known.
    pub fn load(name: &str, text: &str) -> Result<Model, ModelError> {
        let file: ModelFile = toml::from_str(text)
            .map_err(|source| ModelError::Syntax { name: name.to_owned(), source: Box::new(source) })?;
        Model::of(name, file)
    }

    pub(crate) fn of(name: &str, file: ModelFile) -> Result<Model, ModelError> {
        let wrong = |place: &str, reason: String| ModelError::Meaning {
            name: name.to_owned(),
            place: place.to_owned(),
            reason,
        };
        let classes = |key: &str, names: &[String]| -> Result<Vec<Class>, ModelError> {
            let class = |class: &String| Class::parse(class).ok_or_else(|| wrong(key, unknown(class, &class_names())));
            names.iter().map(class).collect()
        };
        let caps: Vec<(String, Bits)> = file.caps.iter().map(|(name, bits)| (name.clone(), bits_of(*bits))).collect();
        let is_text = |field: &&FieldFile| field.compare == "text";
        let texts: Vec<String> = file.fields.iter().filter(is_text).map(|field| field.name.clone()).collect();
        let field = |field: &FieldFile| {
            let place = format!("field {}", field.name);
            field.read(classes(&place, &field.classes)?, &caps, &texts).map_err(|reason| wrong(&place, reason))
        };
        let fields = file.fields.iter().map(field).collect::<Result<Vec<Field>, ModelError>>()?;
        let block = |block: &BlockFile| block.read(&texts).map_err(|reason| wrong("block", reason));
        let blocks = file.blocks.iter().map(block).collect::<Result<Vec<TextBlock>, ModelError>>()?;
        if fields.len() > FIELDS_MAX || blocks.len() > FIELDS_MAX {
            return Err(wrong("field", format!("at most {FIELDS_MAX} fields are compared, in as many blocks")));
        }
        let mut model = Model {
            version: String::new(),
            fields,
            prior: bits_of(file.prior),
            lifelong: classes("classes.lifelong", &file.classes.lifelong)?,
            strong: classes("classes.strong", &file.classes.strong)?,
            personal: classes("classes.personal", &file.classes.personal)?,
            caps,
            texts,
            blocks,
            file,
        };
        let digest = Sha256::digest(model.to_toml().as_bytes());
        let hash: String = digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
        model.version = format!("{}-{hash}", model.file.name);
        Ok(model)
    }

    /// Name and hash, such as `cn-4f2a90b1c6de`: what every answer names. Two files that mean the same have the same version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The file that loads as this model.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.file).unwrap_or_default()
    }

    /// From so many bits on two records are one person by their bits alone.
    pub(crate) fn certain(&self) -> Option<Bits> {
        self.file.grades.certain.map(bits_of)
    }

    /// A key that more records share brings nobody together.
    pub fn block_max(&self) -> usize {
        self.file.grades.block_max
    }

    pub(crate) fn file(&self) -> &ModelFile {
        &self.file
    }

    /// A score as the probability that two records are one person.
    pub fn probability(&self, bits: Bits) -> f64 {
        let score = bits.as_f64();
        let points = &self.file.calibration;
        let log_odds = |p: f64| (p / (1.0 - p)).log2();
        let odds = match points.iter().position(|[at, _]| *at > score) {
            None if points.is_empty() => score,
            None => log_odds(points[points.len() - 1][1]),
            Some(0) => log_odds(points[0][1]),
            Some(n) => {
                let ([x0, p0], [x1, p1]) = (points[n - 1], points[n]);
                log_odds(p0) + (log_odds(p1) - log_odds(p0)) * (score - x0) / (x1 - x0)
            }
        };
        1.0 / (1.0 + (-odds).exp2())
    }
}

fn class_names() -> Vec<&'static str> {
    Class::NAMES.iter().map(|(_, name)| *name).collect()
}

fn unknown(what: &str, known: &[&str]) -> String {
    format!("'{what}' is not known; known are {}", known.join(", "))
}

pub(crate) fn bits_of(value: f64) -> Bits {
    Bits((value * 1000.0).round() as i32)
}

/// So many fields are compared at most.
pub(crate) const FIELDS_MAX: usize = 16;
