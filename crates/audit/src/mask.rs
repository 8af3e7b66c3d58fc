//! Masked forms for lists and reports: enough to recognise a person one knows, too little to learn one.

/// A name: first and last character stay (`张*示`); of two characters the first.
#[must_use]
pub fn name(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    match chars.as_slice() {
        [] => String::new(),
        [_] => "*".to_owned(),
        [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", "*".repeat(middle.len())),
    }
}

/// An identity document: the first three and the last two characters stay.
#[must_use]
pub fn document(number: &str) -> String {
    keep(number, 3, 2)
}

/// A phone number: the first three and the last four digits stay (`199****0017`).
#[must_use]
pub fn phone(number: &str) -> String {
    keep(number, 3, 4)
}

/// A date: the year stays.
#[must_use]
pub fn date(date: &str) -> String {
    date.chars().take(4).collect()
}

/// An address: the part up to the district stays. Without one, nothing does.
#[must_use]
pub fn address(address: &str) -> String {
    let district = ["区", "县", "旗"];
    let end = district.iter().filter_map(|word| Some(address.find(word)? + word.len())).min();
    let end = end.or_else(|| Some(address.rfind('市')? + '市'.len_utf8()));
    end.map_or_else(|| "*".to_owned(), |end| format!("{}*", &address[..end]))
}

fn keep(text: &str, head: usize, tail: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    let Some(hidden) = chars.len().checked_sub(head + tail).filter(|hidden| *hidden > 0) else {
        return "*".repeat(chars.len());
    };
    let head: String = chars[..head].iter().collect();
    let tail: String = chars[chars.len() - tail..].iter().collect();
    format!("{head}{}{tail}", "*".repeat(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_show_no_full_identifier() {
        assert_eq!(name("张三示"), "张*示");
        assert_eq!(name("李四"), "李*");
        assert_eq!(document("860101199001011234"), "860*************34");
        assert_eq!(phone("19900000017"), "199****0017");
        assert_eq!(phone("12345"), "*****");
        assert_eq!(date("1990-01-01"), "1990");
        assert_eq!(address("某省某市东区一路1号"), "某省某市东区*");
        assert_eq!(address("无门牌"), "*");
    }
}
