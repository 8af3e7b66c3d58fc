use std::fmt;

use crate::{Limits, Path};

/// How much an issue matters to the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Something worth counting; nothing was lost.
    Information,
    /// Content that may have been meant otherwise; it is kept as sent.
    Warning,
    /// Content that breaks the standard so that its meaning is open; it is kept as sent.
    Error,
}

/// Two numbers that ought to be equal, or a count of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// What the sender declared, or the limit.
    pub declared: u64,
    /// What was found.
    pub found: u64,
}

/// One finding about a message that parsed. It names a place and never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// What was found.
    pub code: IssueCode,
    /// How much it matters.
    pub severity: Severity,
    /// Where, when the place has a path.
    pub path: Option<Path>,
    /// Byte offset in the decoded text.
    pub text_offset: u32,
    /// Byte offset in the raw bytes.
    pub raw_offset: u32,
    /// The numbers that disagree, where the code is about numbers.
    pub numbers: Option<Numbers>,
}

impl Issue {
    pub(crate) fn new(code: IssueCode, offset: u32) -> Self {
        Self { code, severity: code.severity(), path: None, text_offset: offset, raw_offset: offset, numbers: None }
    }

    pub(crate) fn with_path(mut self, path: Path) -> Self {
        self.path = Some(path);
        self
    }

    pub(crate) fn with_numbers(mut self, declared: u64, found: u64) -> Self {
        self.numbers = Some(Numbers { declared, found });
        self
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.as_str())?;
        if let Some(path) = &self.path {
            write!(f, " at {path}")?;
        }
        write!(f, " (byte {}): {}", self.raw_offset, self.code.text_en())?;
        if let Some(numbers) = self.numbers {
            write!(f, " (declared {}, found {})", numbers.declared, numbers.found)?;
        }
        Ok(())
    }
}

/// Issues up to a limit; what exceeds it is only counted.
#[derive(Debug)]
pub(crate) struct IssueList {
    issues: Vec<Issue>,
    max: usize,
    beyond: u64,
}

impl IssueList {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { issues: Vec::new(), max: limits.issues_max, beyond: 0 }
    }

    /// The issue is made only when there is room for it.
    pub(crate) fn push(&mut self, issue: impl FnOnce() -> Issue) {
        if self.issues.len() + 1 < self.max.max(1) {
            self.issues.push(issue());
        } else {
            self.beyond += 1;
        }
    }

    pub(crate) fn into_vec(mut self) -> Vec<Issue> {
        if self.beyond > 0 {
            self.issues.push(Issue::new(IssueCode::MoreIssues, 0).with_numbers(self.max as u64, self.beyond));
        }
        self.issues
    }
}

macro_rules! issue_codes {
    ($($(#[doc = $doc:literal])* $name:ident, $code:literal, $severity:ident, $en:literal, $zh:literal;)*) => {
        /// What an issue is about. The codes are stable: partners configure on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum IssueCode { $(#[doc = $en] $name,)* }

        impl IssueCode {
            /// Every code, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// What it means, in English.
            #[must_use]
            pub fn text_en(self) -> &'static str {
                match self { $(Self::$name => $en,)* }
            }

            /// What it means, in Chinese.
            #[must_use]
            pub fn text_zh(self) -> &'static str {
                match self { $(Self::$name => $zh,)* }
            }

            /// The severity an issue of this code has.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

issue_codes! {
    LeadingBytes, "leading-bytes", Information, "bytes before the header were kept and skipped", "消息头之前有多余字节,已保留并跳过";
    CharsetUnknown, "charset-unknown", Warning, "MSH-18 names a character set that is not in table 0211", "MSH-18 的字符集名称不在 0211 表中";
    CharsetSuspect, "charset-suspect", Warning, "the bytes do not look like the declared character set", "字节内容与声明的字符集不符";
    CharsetNotReversible, "charset-not-reversible", Information, "some bytes would be encoded differently when printed anew", "部分字节重新编码后会不同";
    Mojibake, "mojibake", Warning, "the text was garbled before it arrived", "文本在到达前已成乱码";
    PrivateUse, "private-use", Information, "the text holds private-use characters", "文本含有私用区字符";
    EncodingCharacters, "encoding-characters", Warning, "MSH-2 does not hold four or five encoding characters", "MSH-2 的编码字符不是四个或五个";
    DelimiterRepeated, "delimiter-repeated", Warning, "two delimiters are the same character; the higher level wins", "两个分隔符相同,以高层级为准";
    SecondHeader, "second-header", Error, "a second header stands inside the message", "消息内出现第二个消息头";
    RawSegment, "raw-segment", Error, "the line does not start with a segment id and is kept as it is", "该行不以段标识开头,按原文保留";
    JoinedLine, "joined-line", Warning, "a broken line was joined to the segment before it", "断行已并入前一段";
    PositionOverflow, "position-overflow", Error, "a position beyond 65535 cannot be told apart", "位置序号超过 65535,无法区分";
    Repetition, "repetition", Warning, "a field that does not repeat has several repetitions; all are kept", "不可重复的字段出现多次,全部保留";
    EscapeUnknown, "escape-unknown", Warning, "an unknown escape sequence is kept as it is", "未知转义序列按原文保留";
    EscapeUnterminated, "escape-unterminated", Warning, "an escape character without a sequence is kept as it is", "转义符没有构成转义序列,按原文保留";
    EscapeHex, "escape-hex", Warning, "a hexadecimal escape sequence cannot be decoded and is kept as it is", "十六进制转义无法解码,按原文保留";
    EscapeCharset, "escape-charset", Warning, "a character set escape sequence is not supported and is kept as it is", "不支持的字符集转义,按原文保留";
    EscapeFormatting, "escape-formatting", Information, "a formatting command stands outside formatted text and is kept as it is", "格式命令出现在非 FT 字段,按原文保留";
    VersionUnknown, "version-unknown", Warning, "MSH-12 is not a known version; the message is read by the superset", "MSH-12 不是已知版本,按超集读取";
    StructureUnknown, "structure-unknown", Information, "the message structure is not known; segments are grouped by habit", "未知的消息结构,按惯例分组";
    SegmentUnexpected, "segment-unexpected", Information, "the structure does not have this segment here; it stays with the segment before it", "结构中此处没有该段,随前一段归组";
    SegmentOutOfOrder, "segment-out-of-order", Warning, "the segment stands out of the order of the structure", "段的顺序与结构不符";
    SegmentMissing, "segment-missing", Warning, "a segment that the structure requires is missing", "缺少结构要求的段";
    BatchCount, "batch-count", Error, "BTS-1 disagrees with the messages of the batch", "BTS-1 与批内消息数不一致";
    FileCount, "file-count", Error, "FTS-1 disagrees with the batches of the file", "FTS-1 与文件内批次数不一致";
    BatchUnclosed, "batch-unclosed", Error, "the batch or file has a header and no trailer", "批次或文件有头无尾";
    BatchStray, "batch-stray", Warning, "a line of the file belongs to no message", "文件中有不属于任何消息的行";
    BatchTooLong, "batch-too-long", Error, "the file holds more messages than allowed; the rest is not read", "文件消息数超过上限,其余不读";
    FrameLenientEnd, "frame-lenient-end", Warning, "the frame ended without 1C 0D", "帧未以 1C 0D 结束";
    FrameStrayBytes, "frame-stray-bytes", Information, "bytes between frames were discarded", "帧之间的多余字节已丢弃";
    FrameAbandoned, "frame-abandoned", Error, "an unfinished frame before this one was abandoned", "此前未结束的帧已放弃";
    FrameInside, "frame-inside", Error, "a start block followed by a header stands inside the frame", "帧内又出现起始符和消息头";
    TrailingContent, "trailing-content", Error, "something stands behind the end of the root element and is not read", "根元素结束之后还有内容,未读取";
    MarkupStray, "markup-stray", Warning, "a sign of markup stands where none can and is read as text", "标记符号出现在不应出现处,按文本读取";
    MarkupUnclosed, "markup-unclosed", Error, "a tag, comment or section never ends", "标签、注释或 CDATA 没有结束";
    ElementUnclosed, "element-unclosed", Error, "the element has no end tag; the document may have been cut", "元素缺少结束标签,文档可能被截断";
    EndTagStray, "end-tag-stray", Error, "an end tag has no start tag and is passed over", "结束标签没有对应的开始标签,已略过";
    EntityUnknown, "entity-unknown", Warning, "an entity that is not decoded is kept as it is", "无法识别的实体按原文保留";
    AttributeUnquoted, "attribute-unquoted", Warning, "the attribute has no value in quotation marks", "属性值没有用引号括起";
    AttributeRepeated, "attribute-repeated", Warning, "the element has an attribute twice", "元素的同名属性出现多次";
    MemberRepeated, "member-repeated", Warning, "the object has a member of that name already; both are kept", "对象中的同名成员出现多次,全部保留";
    HeadMissing, "head-missing", Error, "the first row is not the head row that the source declares", "首行不是来源声明的头行";
    TrailerMissing, "trailer-missing", Error, "no trailer row stands at the end; the file may have been cut", "文件末尾没有声明的尾行,文件可能被截断";
    TrailerEarly, "trailer-early", Warning, "rows follow the trailer row", "尾行之后还有数据行";
    RowCount, "row-count", Error, "the count that the file states disagrees with its rows", "文件声明的数目与实际行数不一致";
    RowCountUnread, "row-count-unread", Warning, "the head or trailer row states no count where one is declared", "头行或尾行中没有可读的数目";
    ColumnMissing, "column-missing", Error, "a declared column is not among the column names", "列名中缺少声明的列";
    ColumnRepeated, "column-repeated", Warning, "a column name stands twice; the first is meant", "列名重复,以第一个为准";
    RowWidth, "row-width", Error, "the row has another number of cells than there are columns", "该行的单元格数与列数不一致";
    QuoteStray, "quote-stray", Warning, "a quotation mark stands inside a cell and is kept as it is", "单元格内出现多余引号,按原文保留";
    QuoteUnclosed, "quote-unclosed", Error, "a quoted cell never ends; from here on quotation marks are read as data", "引号未闭合,自此处起引号按普通字符读取";
    CellScientific, "cell-scientific", Error, "a spreadsheet has turned the identifier into a rounded number", "标识号被电子表格改写为科学计数法,末位已丢失";
    CellApostrophe, "cell-apostrophe", Warning, "the cell begins with the text mark of a spreadsheet", "单元格以电子表格的文本标记 ' 开头";
    CellDecimalComma, "cell-decimal-comma", Warning, "the cell may be a number with a decimal comma", "单元格可能是以逗号作小数点的数字";
    CellFormula, "cell-formula", Warning, "the cell begins like a formula", "单元格以公式符号开头";
    CellFullWidth, "cell-full-width", Warning, "the cell holds full-width digits", "单元格含有全角数字";
    RowsStopped, "rows-stopped", Error, "a limit is exceeded; the rows from here on are not read", "超过上限,自此行起不再读取";
    CdaTypeDoubtful, "cda-type-doubtful", Warning, "the template and the code name different document types, or none that is known", "模板标识与文档代码不一致,或文档类型未知";
    CdaElementForeign, "cda-element-foreign", Information, "CDA has no such element here; it is kept", "CDA 中此处没有该元素,已保留";
    CdaElementMisspelt, "cda-element-misspelt", Warning, "the name of the element is misspelt; it is kept under the name that was sent", "元素名拼写有误,按发送的名称保留";
    CdaTextEmpty, "cda-text-empty", Information, "the section has no narrative", "章节没有叙述文本";
    CdaIdEmpty, "cda-id-empty", Information, "the identifier has no extension, or a dash in place of one", "标识的 extension 缺失或以 - 代替";
    CdaDisplayBlanks, "cda-display-blanks", Information, "blanks stand around a display name", "显示名前后有空格";
    CdaCodeSystem, "cda-code-system", Warning, "the code system is not the one that the standard names here", "代码系统标识与标准规定的不同";
    CdaCodeSystemReused, "cda-code-system-reused", Warning, "one code system identifier is given two names in this document", "同一代码系统标识在文档中有两个名称";
    CdaSetIdMissing, "cda-set-id-missing", Information, "the document has no set id, so its versions cannot be told to belong together", "文档缺少 setId,无法关联各版本";
    CdaCountsUnequal, "cda-counts-unequal", Error, "entries that belong together in order do not occur equally often", "按顺序配对的条目数量不一致";
    MoreIssues, "more-issues", Warning, "there were more issues than are reported", "问题数超过上限,其余未列出";
}
