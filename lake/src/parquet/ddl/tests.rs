//! The statements for Athena against a page that was checked by hand, and their form for the whole table.

use super::*;

fn url(text: &str) -> LakeUrl {
    text.parse().expect("a URL")
}

fn some() -> TableOptions {
    let names =
        ["tweet_id", "created_at", "text", "edits_left", "author.username", "author.verified", "hashtags", "lon"];
    TableOptions { columns: Some(names.map(str::to_owned).to_vec()), raw: true, ..TableOptions::default() }
}

#[test]
fn athena_gets_an_external_table_that_projects_its_partitions() {
    let made = ddl(Dialect::Athena, &some(), &url("s3://my-bucket/tweets-parquet/")).expect("statements");
    assert_eq!(made, include_str!("../testdata/athena.sql"));
}

/// Reads a Hive type from its beginning; gives the rest. Panics at what Hive would not take.
fn hive_type(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix("array<") {
        return hive_type(rest).strip_prefix('>').expect("an array ends");
    }
    if let Some(mut rest) = text.strip_prefix("struct<") {
        loop {
            let (name, after) = rest.strip_prefix('`').and_then(|rest| rest.split_once("`:")).expect("a quoted member");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            rest = hive_type(after);
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => return rest.strip_prefix('>').expect("a struct ends"),
            }
        }
    }
    let end = text.find(|letter: char| !letter.is_ascii_lowercase()).unwrap_or(text.len());
    let plain = ["bigint", "binary", "boolean", "double", "int", "smallint", "string", "timestamp", "tinyint"];
    assert!(plain.contains(&&text[..end]), "{text}");
    &text[end..]
}

#[test]
fn every_column_of_the_table_has_a_type_that_hive_knows() {
    let whole = TableOptions { raw: true, ..TableOptions::default() };
    let made = ddl(Dialect::Athena, &whole, &url("s3://bucket/pq")).expect("statements");
    let columns = made.split("(\n").nth(1).and_then(|rest| rest.split("\n)\n").next()).expect("the columns");
    let mut names = Vec::new();
    for line in columns.lines() {
        let (name, data_type) = line.strip_prefix("  `").and_then(|line| line.split_once("` ")).expect("a column");
        assert!(matches!(hive_type(data_type), "" | ","), "{line}");
        names.push(name.to_owned());
    }
    let schema = Projection::new(&whole).expect("columns").schema();
    assert_eq!(names, schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>());
}

#[test]
fn spark_gets_a_table_by_the_columns_and_duckdb_a_view_by_the_files() {
    let made = ddl(Dialect::Spark, &some(), &url("s3://bucket/pq")).expect("statements");
    assert!(made.contains("  `raw` binary,\n  `date` date,\n  `hour` int\n)\nUSING parquet\n"), "{made}");
    assert!(made.contains("LOCATION 's3a://bucket/pq';"), "{made}");
    let here = std::env::current_dir().expect("a folder");
    let made = ddl(Dialect::Spark, &some(), &url("pq")).expect("statements");
    assert!(made.contains(&format!("LOCATION 'file://{}/pq';", here.display())), "{made}");
    let made = ddl(Dialect::DuckDb, &some(), &url("it's/")).expect("statements");
    assert!(made.contains("read_parquet('it''s/date=*/hour=*/tweets.parquet', "), "{made}");
}

#[test]
fn what_cannot_be_a_table_is_refused_with_what_to_give_instead() {
    let error = ddl(Dialect::Athena, &some(), &url("pq")).expect_err("a folder");
    assert!(error.to_string().contains("--to s3://bucket/prefix, not pq"), "{error}");
    let unknown = TableOptions { columns: Some(vec!["nonsense".to_owned()]), ..TableOptions::default() };
    assert!(matches!(ddl(Dialect::DuckDb, &unknown, &url("pq")), Err(DdlError::Columns(_))));
    assert!("hive".parse::<Dialect>().expect_err("another one").to_string().contains("athena, spark or duckdb"));
}
