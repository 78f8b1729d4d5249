//! Per cent as people type and read them, exact to one part in a million.

/// Decimals of per cent that are parts per million.
const DECIMALS: usize = 4;

/// `10`, `12.5`, `20 %` in parts per million: more decimals than they have are refused.
///
/// # Errors
/// What is wrong with it.
pub fn read(text: &str) -> Result<i32, String> {
    let wrong = || format!("`{text}` is not per cent: write 10 or 12.5");
    let plain = text.strip_suffix('%').unwrap_or(text).trim_end();
    let (whole, parts) = plain.split_once('.').unwrap_or((plain, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || parts.len() > DECIMALS || !is_number(whole) || !is_number(parts) {
        return Err(wrong());
    }
    format!("{whole}{parts:0<DECIMALS$}").parse().map_err(|_| wrong())
}

/// `20 %`, `12.5 %`.
pub fn show(ppm: i32) -> String {
    let (whole, parts) = (ppm / 10_000, ppm % 10_000);
    let parts = format!("{parts:04}");
    match parts.trim_end_matches('0') {
        "" => format!("{whole} %"),
        parts => format!("{whole}.{parts} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_are_read_exactly_or_not_at_all() {
        let read_all = ["10", "12.5%", "0.0001", "20 %", "100"].map(read);
        assert_eq!(read_all, [100_000, 125_000, 1, 200_000, 1_000_000].map(Ok));
        for wrong in ["", "ten", "-1", "1,5", "0.00001", "999999999", "%", "1 0"] {
            assert!(read(wrong).unwrap_err().contains("per cent"), "{wrong}");
        }
        for ppm in [0, 1, 10, 9_999, 10_000, 190_000, 125_000, 1_000_000] {
            assert_eq!(read(&show(ppm)), Ok(ppm), "{}", show(ppm));
        }
        assert_eq!((show(200_000), show(125_000)), ("20 %".to_owned(), "12.5 %".to_owned()));
    }
}
