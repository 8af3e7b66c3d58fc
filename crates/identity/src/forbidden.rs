//! What a card payload says and nobody may keep: tokens that serve once, balances, employers, PINs, signatures.

use dukou_fhir::{Object, Value};

/// Whether a leaf of this name may not be kept. `ecToken`, `ec_token` and `EC-TOKEN` are one name.
pub fn is_forbidden(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !"_-. ".contains(*c)).flat_map(char::to_lowercase).collect();
    NAMES.contains(&plain.as_str()) || plain.ends_with("balc") || plain.ends_with("ectoken")
}

/// Whether bytes that cannot be read as a document speak of something forbidden: then they are not kept at all.
pub fn speaks_of(raw: &[u8]) -> bool {
    let text = raw.to_ascii_lowercase();
    let within = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    WORDS.iter().any(|word| within(word.as_bytes()))
}

/// Takes everything forbidden out of a payload, and gives back how many values were taken. A value that says nothing is none.
pub fn purge(payload: &mut Value<'_>) -> usize {
    match payload {
        Value::Array(values) => values.iter_mut().map(purge).sum(),
        Value::Object(object) => purge_members(object),
        _ => 0,
    }
}

fn purge_members(object: &mut Object<'_>) -> usize {
    let mut taken = 0;
    let tokens: Vec<&str> = TOKENS.iter().filter(|token| is_token(object, token)).map(|token| token.0).collect();
    object.retain(|name, value| {
        let goes = is_forbidden(name) || tokens.contains(&name);
        taken += if goes { said(value) } else { 0 };
        !goes
    });
    taken + object.iter_mut().map(|(_, value)| purge(value)).sum::<usize>()
}

fn is_token(object: &Object<'_>, (_, kind, values): &(&str, &str, &[&str])) -> bool {
    let text = |value: &Value<'_>| value.as_str().or(value.as_number()).map(|text| text.trim().to_owned());
    object.get(kind).and_then(text).is_some_and(|kind| values.contains(&kind.as_str()))
}

/// The values below a member that say something.
fn said(value: &Value<'_>) -> usize {
    match value {
        Value::Null => 0,
        Value::String(text) => usize::from(!text.trim().is_empty()),
        Value::Bool(_) | Value::Number(_) => 1,
        Value::Array(values) => values.iter().map(said).sum(),
        Value::Object(object) => object.iter().map(|(_, value)| said(value)).sum(),
    }
}

/// Names without case and joints (医保 interface specification, transaction 1101 and ec.query; 余额 balance, 单位名称 employer).
const NAMES: [&str; 12] = [
    "balance",
    "empname",
    "employername",
    "signno",
    "cainfo",
    "pin",
    "cardpin",
    "pinblock",
    "余额",
    "账户余额",
    "个人账户余额",
    "单位名称",
];

/// What is looked for in bytes that cannot be read.
const WORDS: [&str; 6] = ["ectoken", "ec_token", "balc", "emp_name", "sign_no", "cainfo"];

/// Element, the element beside it that says its kind, and the kinds that make it a token: an electronic credential is presented by
/// a token that serves once.
pub const TOKENS: [(&str, &str, &[&str]); 2] =
    [("mdtrt_cert_no", "mdtrt_cert_type", &["01", "1"]), ("kh", "klx", &["4"])];

#[cfg(test)]
mod tests {
    use dukou_fhir::{Value, json};

    use super::{is_forbidden, purge, speaks_of};

    fn purged(text: &str) -> (usize, String) {
        let mut value: Value<'_> = json::parse(text.as_bytes(), &json::Limits::default()).unwrap();
        let taken = purge(&mut value);
        let mut out = Vec::new();
        json::print(&value, &mut out);
        (taken, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_name_is_one_name_whatever_its_case_and_joints() {
        for name in
            ["ecToken", "EC_TOKEN", "ec-token", "newEcToken", "balc", "acct_balc", "Emp Name", "PIN", "账户余额"]
        {
            assert!(is_forbidden(name), "{name}");
        }
        for name in ["psn_name", "certno", "pinyin", "ecIndexNo", "balcony"] {
            assert!(!is_forbidden(name), "{name}");
        }
    }

    #[test]
    fn forbidden_values_are_taken_out_wherever_they_stand_and_counted() {
        let (taken, left) =
            purged(r#"{"a":[{"balc":"10","x":1},{"balc":""}],"data":{"ecToken":"T","sub":{"PIN":[1,2]}}}"#);
        assert_eq!((taken, left.as_str()), (4, r#"{"a":[{"x":1},{}],"data":{"sub":{}}}"#));
    }

    #[test]
    fn a_number_is_a_token_where_its_kind_says_so() {
        assert_eq!(purged(r#"{"mdtrt_cert_type":"01","mdtrt_cert_no":"T"}"#).0, 1);
        assert_eq!(purged(r#"{"mdtrt_cert_type":"03","mdtrt_cert_no":"ZZ1"}"#).0, 0);
        assert_eq!(purged(r#"{"klx":4,"kh":"T"}"#), (1, r#"{"klx":4}"#.to_owned()));
    }

    #[test]
    fn bytes_that_cannot_be_read_are_searched_for_the_words() {
        assert!(speaks_of(b"{\"ecToken\":\"x") && speaks_of(b"<BALC>1</") && !speaks_of(b"balance sheet of names"));
    }
}
