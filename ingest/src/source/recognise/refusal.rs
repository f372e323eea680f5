//! What is refused, by its name, with what to do.

use std::fmt;

/// Why an input cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    Avro,
    Parquet,
    Orc,
    SequenceFile,
    Sqlite,
    SevenZip,
    Rar,
    Lz4,
    Snappy,
    Pdf,
    LfsPointer,
    Utf32,
    Html,
    Xml,
    Csv,
    TweetIds,
    Users,
    PersonalArchive,
    ActivityStreams,
    Snscrape,
    DumpedTwice,
    PythonRepr,
    /// A zip where it cannot be read from its end.
    UnseekableZip,
    /// An archive in an archive.
    Nested,
    /// A member of a zip that is compressed in a way that is not read, or encrypted.
    ZipMember {
        name: String,
        /// How it is compressed; `None` where it is encrypted.
        method: Option<String>,
    },
    /// More layers of compression than anything sensible has.
    Layers,
    /// A zstd frame whose window has so many bytes.
    Window(u64),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Refusal::Window(bytes) = self {
            return write!(
                f,
                "its zstd window is {} MiB, larger than the 128 MiB that are held; decompress it first with `zstd -d --long=31`, \
                 or pipe `zstd -dc --long=31 FILE` into a source of type stdin",
                bytes >> 20
            );
        }
        if let Refusal::ZipMember { name, method } = self {
            let how = method
                .as_ref()
                .map_or("encrypted".to_owned(), |method| format!("compressed by {method}, which is not read"));
            return write!(
                f,
                "its member {name} is {how}; unpack the zip first, for example with `7z x`, and name its files in source.paths"
            );
        }
        f.write_str(match self {
            Refusal::Avro => "this is an Avro file; write its records as JSON lines first, with `avro-tools tojson`",
            Refusal::Parquet => "this is a Parquet file; only lines as they were received can be read, not tables made of them",
            Refusal::Orc => "this is an ORC file; only lines as they were received can be read, not tables made of them",
            Refusal::SequenceFile => {
                "this is a Hadoop SequenceFile, the default of Flume's HDFS sink; write its values as lines first, with `hdfs dfs -text`"
            }
            Refusal::Sqlite => "this is an SQLite database; export its JSON column as lines first",
            Refusal::SevenZip => "this is a 7-Zip archive; unpack it first, with `7z x`",
            Refusal::Rar => "this is a RAR archive; unpack it first, with `unrar x`",
            Refusal::Lz4 => "this is compressed by LZ4; decompress it first, with `lz4 -d`",
            Refusal::Snappy => "this is compressed by Snappy; decompress it first, with `snzip -d`",
            Refusal::Pdf => "this is a PDF document; it holds no tweets as they were received",
            Refusal::LfsPointer => "this is a pointer of Git LFS and not the file itself; fetch that with `git lfs pull`",
            Refusal::Utf32 => "this is text in UTF-32; convert it first, with `iconv -f UTF-32 -t UTF-8`",
            Refusal::Html => "this is an HTML page, often a login or an error page saved in place of the file; download it anew",
            Refusal::Xml => "this is XML; only JSON can be read",
            Refusal::Csv => "this is a table (CSV); only tweets as they were received, as JSON, can be read",
            Refusal::TweetIds => "this is a list of tweet ids; fetch the tweets first, for example with `twarc2 hydrate`",
            Refusal::Users => "these are pages of users and not of tweets",
            Refusal::PersonalArchive => {
                "this is a part of X's personal archive (window.YTD); its tweets lack their author and are not what the API sent, so that \
                 they cannot be stored beside such"
            }
            Refusal::ActivityStreams => {
                "these are activities (Gnip's Activity Streams form) and not tweets; ask for the `original` form, or convert them first"
            }
            Refusal::Snscrape => "this is the output of snscrape; it is not what the API sent and lacks most of it",
            Refusal::DumpedTwice => {
                "each line is a JSON text that holds JSON: it was dumped twice; undo one of them first, with `jq -r .`"
            }
            Refusal::PythonRepr => {
                "this is Python's own notation and not JSON; write it anew with json.dumps, for example of ast.literal_eval"
            }
            Refusal::UnseekableZip => {
                "this is a zip archive, which cannot be read from a pipe or inside of another file; give its path in source.paths"
            }
            Refusal::Nested => "this is an archive in an archive; unpack the outer one first",
            Refusal::Layers => "it is compressed again and again; decompress it first",
            Refusal::Window(_) | Refusal::ZipMember { .. } => unreachable!("it is written above"),
        })
    }
}
