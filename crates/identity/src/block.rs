//! Blocking: only records that share a key are compared.

use dukou_fhir::Text;

use crate::number::hash;
use crate::record::Record;
use crate::wording::Wording;

/// A key under which records are found, with its kind in the upper bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey(u64);

/// What a block has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockKind {
    /// A number of one system, or what a broken one may have been.
    Number,
    /// A telephone.
    Phone,
    /// Name and birth year.
    NameYear,
    /// Birth date and sex.
    BirthSex,
    /// Name and birth date: what is left to meet in where blocks of the two kinds before are over the limit.
    NameBirth,
    /// Further texts that the model names together.
    Texts,
    /// Name, and month and day of birth: where the year is off.
    NameDay,
}

impl BlockKind {
    /// Whether a question that misses such a block may have missed the person. Who shares a broad block shares name and birth date, too.
    pub(crate) fn proves(self) -> bool {
        matches!(self, BlockKind::Number | BlockKind::NameBirth)
    }

    /// What a reader sees.
    pub fn text(self) -> Text {
        match self {
            BlockKind::Number => Text::new("a number", "号码"),
            BlockKind::Phone => Text::new("a telephone", "电话"),
            BlockKind::NameYear => Text::new("name and year of birth", "姓名与出生年"),
            BlockKind::BirthSex => Text::new("birth date and sex", "出生日期与性别"),
            BlockKind::NameBirth => Text::new("name and birth date", "姓名与出生日期"),
            BlockKind::NameDay => Text::new("name and birthday", "姓名与生日"),
            BlockKind::Texts => Text::new("further texts", "其他文字项"),
        }
    }
}

impl BlockKey {
    fn new(kind: BlockKind, hash: u64) -> BlockKey {
        BlockKey(hash >> 4 | (kind as u64) << 60)
    }

    /// The key of a number, by the number's own.
    pub(crate) fn of_number(key: u64) -> BlockKey {
        BlockKey::new(BlockKind::Number, key)
    }

    /// The key as a hash over all kinds.
    pub(crate) fn hash(self) -> u64 {
        self.0
    }

    /// What the block has in common.
    pub fn kind(self) -> BlockKind {
        match self.0 >> 60 {
            0 => BlockKind::Number,
            1 => BlockKind::Phone,
            2 => BlockKind::NameYear,
            3 => BlockKind::BirthSex,
            4 => BlockKind::NameBirth,
            5 => BlockKind::Texts,
            _ => BlockKind::NameDay,
        }
    }
}

/// The keys of a record, sorted, each once.
pub(crate) fn keys(record: &Record) -> Vec<BlockKey> {
    let mut keys = Vec::new();
    for number in &record.numbers {
        let mends = number.repairs.iter().copied();
        keys.extend(mends.chain([number.key]).map(|key| BlockKey::new(BlockKind::Number, key)));
    }
    keys.extend(record.phones.iter().map(|phone| BlockKey::new(BlockKind::Phone, hash(*phone, b"phone"))));
    // Where none is stated, the birth date of an identity number serves to be found by; it is never compared.
    let told = || record.numbers.iter().find_map(|number| number.birth);
    if let Some(birth) = record.birth.or_else(told) {
        let (year, day) = (u64::from(birth.year()), u64::from(birth.number()));
        for name in record.names.iter().filter(|name| name.standing().names_somebody()) {
            name.block_keys(|sound| {
                keys.push(BlockKey::new(BlockKind::NameYear, hash(sound, &year.to_le_bytes())));
                keys.push(BlockKey::new(BlockKind::NameDay, hash(sound, &(day % 10_000).to_le_bytes())));
                keys.push(BlockKey::new(BlockKind::NameBirth, hash(sound, &day.to_le_bytes())));
            });
        }
        if let Some(sex) = record.sex {
            keys.push(BlockKey::new(BlockKind::BirthSex, hash(day, &[sex as u8])));
        }
    }
    keys.extend(record.text_keys.iter().map(|key| BlockKey::new(BlockKind::Texts, *key)));
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The keys of the texts that the model names together; a text that is not stated leaves its keys out.
pub(crate) fn text_keys(blocks: &[TextBlock], texts: &[Option<Wording>]) -> Box<[u64]> {
    let key = |(number, block): (usize, &TextBlock)| {
        let mut parts = Vec::with_capacity(block.texts.len());
        for text in &block.texts {
            parts.push(texts.get(*text)?.as_ref()?.key());
        }
        if block.any_order {
            parts.sort_unstable();
        }
        Some(parts.iter().fold(number as u64, |sum, part| hash(sum, &part.to_le_bytes())))
    };
    blocks.iter().enumerate().filter_map(key).collect()
}

/// Texts that records have in common where they meet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextBlock {
    /// Their places among the texts of the model.
    pub(crate) texts: Vec<usize>,
    /// Whether they may have changed places.
    pub(crate) any_order: bool,
}
