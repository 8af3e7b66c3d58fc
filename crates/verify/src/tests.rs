//! A second writer of the format, made from the page alone, and what may be done to its logs.

mod damage;
mod examples;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use crate::judge::{Judgement, Surroundings, judge};
use crate::note::Origin;
use crate::segment::Segment;
use crate::tree::Tree;

const NAME: &str = "second.example/log";

/// A log in memory.
#[derive(Clone)]
struct Log {
    origin: String,
    segments: Vec<(u64, Vec<u8>)>,
    notes: Vec<u8>,
}

impl Log {
    /// A log of about this many records, in frames of 8 and segments of 160, with a note every `note_frames` frames.
    fn make(records: u64, note_frames: u64) -> Self {
        let key = SigningKey::from_bytes(&[5; 32]);
        let mut public = vec![1];
        public.extend_from_slice(key.verifying_key().as_bytes());
        let digest = Sha256::new().chain_update(NAME).chain_update(b"\n").chain_update(&public).finalize();
        let hash = [digest[0], digest[1], digest[2], digest[3]];
        let line = format!("{NAME}+{:08x}+{}", u32::from_be_bytes(hash), STANDARD.encode(&public));
        let origin = format!("{{\"origin\":\"{NAME}\",\"hash\":\"sha256\",\"keys\":[\"{line}\"],\"created_ns\":1}}\n");
        let mut log = Self { origin: origin.clone(), segments: Vec::new(), notes: Vec::new() };
        let mut tree = Tree::default();
        let mut shadow = Vec::new();
        log.segments.push((0, frame(&mut tree, &mut shadow, &[record(0, origin.as_bytes())], true, 1)));
        let (mut row, mut frames) = (0, 0);
        while tree.size < records {
            let name = tree.size;
            let mut bytes = Vec::new();
            for i in 0..20 {
                let mut body = Vec::new();
                if i == 0 {
                    body.push(record(9, &heartbeat(row)));
                }
                while body.len() < 8 {
                    row += 1;
                    body.push(record(3, &write(row)));
                }
                bytes.extend(frame(&mut tree, &mut shadow, &body, i == 0, 10 + frames));
                frames += 1;
                if frames % note_frames == 0 {
                    log.note(&key, hash, &tree);
                }
            }
            log.segments.push((name, bytes));
        }
        log.note(&key, hash, &tree);
        log
    }

    fn note(&mut self, key: &SigningKey, hash: [u8; 4], tree: &Tree) {
        let text = format!("{NAME}\n{}\n{}\n", tree.size, STANDARD.encode(tree.root()));
        let signature = key.sign(text.as_bytes()).to_bytes();
        let code = STANDARD.encode([&hash[..], &signature].concat());
        self.notes.extend_from_slice(format!("{text}\n\u{2014} {NAME} {code}\n\n").as_bytes());
    }

    fn check(&self) -> Vec<Segment> {
        self.segments.iter().map(|(name, bytes)| Segment::check(*name, bytes, None)).collect()
    }

    fn judge(&self) -> Judgement {
        self.judge_with(&self.check())
    }

    fn judge_with(&self, segments: &[Segment]) -> Judgement {
        let first = || segments.first().and_then(|segment| segment.origin.clone()).unwrap_or_default();
        let origin = Origin::read(&self.origin).or_else(|| Origin::read(&String::from_utf8_lossy(&first()))).unwrap();
        let around = Surroundings {
            origin: &origin,
            origin_text: self.origin.as_bytes(),
            notes: &self.notes,
            known_notes: &[],
            known_key: None,
            prepared_clean: true,
            live: false,
            stale_before_ns: None,
        };
        judge(segments, &around)
    }
}

/// Bytes of one frame; `subtrees` is the frontier that the tree does not give away.
fn frame(tree: &mut Tree, shadow: &mut Vec<[u8; 32]>, body: &[Vec<u8>], frontier: bool, mono_ns: u64) -> Vec<u8> {
    let mut out = b"DKL1\x01".to_vec();
    out.push(if frontier { 16 } else { 0 });
    let header = if frontier { 89 + 32 * shadow.len() } else { 88 };
    let len: usize = body.iter().map(Vec::len).sum();
    out.extend_from_slice(&(header as u16).to_le_bytes());
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    let first_leaf = tree.size;
    out.extend_from_slice(&first_leaf.to_le_bytes());
    out.extend_from_slice(&(mono_ns as i64).to_le_bytes());
    out.extend_from_slice(&mono_ns.to_le_bytes());
    out.extend_from_slice(&[3; 16]);
    out.extend_from_slice(&tree.root());
    if frontier {
        out.push(shadow.len() as u8);
        shadow.iter().for_each(|hash| out.extend_from_slice(hash));
    }
    for record in body {
        out.extend_from_slice(record);
        grow(shadow, tree.size, &record[4..]);
        tree.append(&record[4..]);
    }
    out.extend_from_slice(&tree.root());
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out.extend_from_slice(&(first_leaf ^ 0x444b_4c31_5f45_4e44).to_le_bytes());
    out.resize(out.len().next_multiple_of(8), 0);
    out
}

fn grow(subtrees: &mut Vec<[u8; 32]>, size: u64, record: &[u8]) {
    let mut node: [u8; 32] = Sha256::new().chain_update([0]).chain_update(record).finalize().into();
    for _ in 0..size.trailing_ones() {
        let left = subtrees.pop().unwrap();
        node = Sha256::new().chain_update([1]).chain_update(left).chain_update(node).finalize().into();
    }
    subtrees.push(node);
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = (content.len() as u32 + 1).to_le_bytes().to_vec();
    out.push(kind);
    out.extend_from_slice(content);
    out
}

/// `{1: time, 18: filler, 23: [row, 0]}`.
fn write(row: u64) -> Vec<u8> {
    let mut out = vec![0xa3, 1, 0x1a, 1, 2, 3, 4, 18, 0x59, 1, 0x20];
    out.extend((0..288_u64).map(|i| (row.wrapping_mul(31) + i) as u8));
    out.extend_from_slice(&[23, 0x82, 0x1a]);
    out.extend_from_slice(&(row as u32).to_be_bytes());
    out.push(0);
    out
}

/// `{29: {"jseq": row}}`.
fn heartbeat(row: u64) -> Vec<u8> {
    let mut out = vec![0xa1, 0x18, 29, 0xa1, 0x64];
    out.extend_from_slice(b"jseq");
    out.push(0x1a);
    out.extend_from_slice(&(row as u32).to_be_bytes());
    out
}
