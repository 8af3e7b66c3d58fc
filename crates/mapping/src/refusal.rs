//! Why a lens refused a value, in words.

use dukou_fhir::Text;

/// Why a lens refused: a stable code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) &'static str);

impl Refusal {
    /// Whether the value is damaged rather than of another kind: text where a number could stand is a result like others, but what
    /// begins like a number and is none is told whatever becomes of it.
    pub(crate) fn tells_damage(self, text: &str) -> bool {
        self.0 == "not-a-number" && text.starts_with(|c: char| c.is_ascii_digit())
    }

    /// The text of a refusal in both languages; holds no value.
    pub(crate) fn text(self) -> Text {
        let (en, zh) = match self.0 {
            "not-yes-no" => ("the value is neither Y nor N", "该值既不是 Y 也不是 N"),
            "not-a-number" => ("the value is no number that FHIR can hold", "该值不是有效数字"),
            "not-a-range" => ("the value is no range", "该值不是有效范围"),
            "time-invalid" => ("the value is no time of day", "该值不是有效时间"),
            "date-invalid" => ("the value is no date", "该值不是有效日期"),
            "date-imprecise" => ("the time lacks the seconds that the element needs", "时间缺少该元素要求的秒"),
            "zone-missing" => ("the time has no offset and the rule names no zone", "时间没有时区，规则也未指定"),
            "code-unknown" => ("the code is in neither table nor value set", "代码不在代码表或值集中"),
            "not-base64" => ("the data is no base64", "数据不是有效的 base64"),
            "not-hex" => ("the data is not hexadecimal", "数据不是有效的十六进制"),
            "encoding-unknown" => ("the encoding of the data is unknown", "数据编码方式未知"),
            "not-a-url" => ("the pointer is no url", "指针不是有效的网址"),
            "format-invalid" => ("the value has not the form of the element", "该值不符合元素的格式"),
            "part-missing" => ("a part that FHIR requires is missing", "缺少 FHIR 要求的部分"),
            "value-conflict" => {
                ("another place of the message has set this element already", "该元素已由消息中其他位置赋值")
            }
            "type-unfit" => ("the value is of a type that the element does not take", "该值的类型与元素不符"),
            "slot-invalid" => ("the value is no time slot", "该值不是有效的时段"),
            "mark-missing" => ("the mark behind which the value stands is missing", "缺少取值所需的标记"),
            "id-as-number" => (
                "the identity number was rewritten as a rounded number, so it is lost",
                "证件号被改写为科学计数法，已失真",
            ),
            "spreadsheet-mark" => {
                ("a spreadsheet's apostrophe stood before the identity number", "证件号前有表格软件的撇号")
            }
            "check-digit" => ("the check digit of the identity number is wrong", "身份证号校验位错误"),
            _ => ("the value is refused", "该值被拒绝"),
        };
        Text::new(en, zh)
    }
}
