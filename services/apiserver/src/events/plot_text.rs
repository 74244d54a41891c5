//! The text of plots: its length, the URLs in it, and its compressed form (spec 05 §3.4).

use std::io::{Read as _, Write as _};
use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use regex::Regex;

/// Bytes per line of MIME base64: 76 characters.
const BYTES_PER_LINE: usize = 57;

/// The most that a compressed plot may decompress to, in bytes: a guard against crafted data.
const MAX_PLOT_BYTES: u64 = 256 << 20;

static SOURCE_URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)["']source["']:\s?["']([a-z][a-z0-9+.\-]*://.*?)["']"#).ok());

/// Distinct URLs of image sources in the text of a plot, in order of appearance.
pub(super) fn source_urls(plot: &str) -> Vec<String> {
    let Some(pattern) = SOURCE_URL.as_ref() else { return Vec::new() };
    let mut urls: Vec<String> = Vec::new();
    for captures in pattern.captures_iter(plot) {
        if let Some(url) = captures.get(1)
            && !urls.iter().any(|known| known == url.as_str())
        {
            urls.push(url.as_str().to_owned());
        }
    }
    urls
}

/// Compresses the text of a plot: zlib, then base64 in lines of 76 characters.
pub(super) fn compress(plot: &str) -> std::io::Result<String> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(plot.len() / 3), Compression::fast());
    encoder.write_all(plot.as_bytes())?;
    let compressed = encoder.finish()?;
    let lines = compressed.len().div_ceil(BYTES_PER_LINE);
    let mut text = String::with_capacity(compressed.len() / 3 * 4 + 4 + lines);
    for line in compressed.chunks(BYTES_PER_LINE) {
        STANDARD.encode_string(line, &mut text);
        text.push('\n');
    }
    Ok(text)
}

/// Restores the text of a plot that [`compress`], or the official server, compressed.
pub(super) fn decompress(encoded: &str) -> std::io::Result<String> {
    let mut packed = encoded.as_bytes().to_vec();
    packed.retain(|byte| !byte.is_ascii_whitespace());
    let compressed = STANDARD
        .decode(packed)
        .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))?;
    let mut plot = String::new();
    ZlibDecoder::new(compressed.as_slice()).take(MAX_PLOT_BYTES).read_to_string(&mut plot)?;
    Ok(plot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_plot_comes_back_exactly() {
        let plot = r#"{"data":[{"y":[1,2,3],"name":"é😀"}]}"#.repeat(5000);
        let encoded = compress(&plot).unwrap();
        assert!(encoded.len() < plot.len() / 10);
        assert!(encoded.ends_with('\n'));
        assert!(encoded.lines().all(|line| line.len() <= 76));
        assert_eq!(decompress(&encoded).unwrap(), plot);
    }

    #[test]
    fn what_python_compressed_is_read() {
        // base64.encodebytes(zlib.compress(b'{"data": []}', 1))
        assert_eq!(decompress("eAGrVkpJLElUslKIjq0FABmUA+k=\n").unwrap(), r#"{"data": []}"#);
    }

    #[test]
    fn broken_data_is_an_error() {
        assert!(decompress("not base64!").is_err());
        assert!(decompress("AAAA").is_err());
    }

    #[test]
    fn source_urls_are_distinct_and_lazy() {
        let plot = r#"{"layout":{"images":[{"source": "http://files/a.png"},{"Source":"s3://b/c.png"},
            {"source":"http://files/a.png"},{"source":"data:image/png;base64,xx"},{"source":  "http://two.spaces"},
            {'source': 'gs://x/y'}]}}"#;
        assert_eq!(source_urls(plot), ["http://files/a.png", "s3://b/c.png", "gs://x/y"]);
        assert!(source_urls("no urls").is_empty());
    }
}
