//! Writing CSV as spreadsheets like it: CRLF, double quotes doubled, nothing that runs as a formula.

/// Which cells are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quotes {
    All,
    /// Those that would be read wrong without.
    Needed,
}

/// Appends a line.
pub(super) fn write_row<T: AsRef<str>>(
    text: &mut Vec<u8>,
    cells: impl IntoIterator<Item = T>,
    quotes: Quotes,
) {
    for (position, cell) in cells.into_iter().enumerate() {
        if position > 0 {
            text.push(b',');
        }
        let cell = cell.as_ref();
        if quotes == Quotes::All || cell.contains(['"', ',', '\r', '\n']) {
            text.push(b'"');
            text.extend_from_slice(cell.replace('"', "\"\"").as_bytes());
            text.push(b'"');
        } else {
            text.extend_from_slice(cell.as_bytes());
        }
    }
    text.extend_from_slice(b"\r\n");
}

/// A cell that no spreadsheet takes for a formula.
pub(super) fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str], quotes: Quotes) -> String {
        let mut text = Vec::new();
        write_row(&mut text, cells, quotes);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(row(&["a", "say \"x\"", "é,\n"], Quotes::All), "\"a\",\"say \"\"x\"\"\",\"é,\n\"\r\n");
        assert_eq!(row(&["a b", "c,d", ""], Quotes::Needed), "a b,\"c,d\",\r\n");
    }

    #[test]
    fn formulas_are_disarmed() {
        for (cell, written) in [("=1+1", "'=1+1"), ("-3", "'-3"), ("\tx", "'\tx"), ("a=b", "a=b"), ("", "")] {
            assert_eq!(harmless(cell.to_owned()), written);
        }
    }
}
