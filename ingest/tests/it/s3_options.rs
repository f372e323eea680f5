//! Options of S3 in the agent and as flags: what goes along with what is put, and where requests go.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use crate::corpus::{joined, mixed};
use crate::lake::{Lake, RUNTIME, fresh_bucket, introduce, moto};
use crate::program::Place;

fn place(url: &str) -> Place {
    let mut place = Place::new();
    place.set("AWS_EC2_METADATA_DISABLED", "true");
    let lake = format!("[lake]\nurl = \"{url}\"\npartition_by = \"created_at\"");
    place.write("cauce.toml", format!("[source]\ntype = \"files\"\npaths = [\"archive\"]\n{lake}\n"));
    place.write("archive/a.json", joined(&mixed(500, 2)));
    place
}

#[test]
fn what_the_agent_puts_bears_its_options_and_small_objects_keep_the_default_class() {
    let Some(server) = moto() else { return };
    let bucket = fresh_bucket(server);
    let mut place = place(&format!("s3://{bucket}"));
    introduce(&mut place, server);
    place.set("CAUCE_LAKE__S3__TAGS", "team=data,kind=tweets").set("CAUCE_LAKE__S3__SSE", "AES256");
    place.done("run --set lake.s3.storage_class=STANDARD_IA --set lake.s3.checksum=SHA256");
    let lake = Lake::bucket(server, &bucket);
    let data: Vec<String> = lake.objects().into_keys().collect();
    let manifests = lake.manifests().into_keys().map(|hour| format!("_hours/{hour}.json"));
    let control: Vec<String> = manifests.chain(["_agent.json".to_owned()]).collect();
    assert!(!data.is_empty() && control.len() > 1, "{data:?} {control:?}");
    let client = RUNTIME.block_on(server.client());
    for (keys, class, tags) in [(&data, Some("STANDARD_IA"), 2), (&control, None, 0)] {
        for key in keys {
            let head = RUNTIME.block_on(client.head_object().bucket(&bucket).key(key).send()).expect("it is there");
            assert_eq!(head.storage_class().map(|class| class.as_str()), class, "{key}");
            assert_eq!(head.server_side_encryption().map(|sse| sse.as_str()), Some("AES256"), "{key}");
            let found = RUNTIME.block_on(client.get_object_tagging().bucket(&bucket).key(key).send());
            assert_eq!(found.expect("it has tags or none").tag_set().len(), tags, "{key}");
        }
    }
    assert!(place.done("verify --request-payer --max-attempts 2").out.contains(" 0 with problems"));
}

#[test]
fn a_flag_that_cannot_be_is_refused_by_its_name() {
    let place = place("lake");
    for (line, words) in [
        ("hours --storage-clas GLACIER", "--storage-class"),
        ("hours --path-style=maybe", "--path-style: lake.s3.path_style: \"maybe\" must be true or false"),
        ("hours --sse-kms-key-id alias/x", "lake.s3.sse_kms_key_id needs lake.s3.sse = \"aws:kms\""),
        ("hours --access-key-id hush", "unexpected argument"),
        ("run --set lake.s3.regoin=x", "did you mean lake.s3.region?"),
    ] {
        let ended = place.ingest(line);
        assert_eq!(ended.code, Some(2), "{line}: {}", ended.err);
        assert!(ended.err.contains(words), "{line}: {}", ended.err);
    }
}

/// A proxy that lets nothing through, and the hosts that it was asked for.
fn proxy() -> (String, Receiver<String>) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", socket.local_addr().expect("a bound socket has an address"));
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for connection in socket.incoming() {
            let mut connection = connection.expect("a connection");
            let mut line = String::new();
            BufReader::new(&connection).read_line(&mut line).expect("a request");
            if sender.send(line.split_whitespace().nth(1).unwrap_or_default().to_owned()).is_err() {
                return;
            }
            // The client may have gone away by then.
            let _ = connection.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
        }
    });
    (address, asked)
}

#[test]
fn requests_go_where_the_sdks_own_variables_and_the_bucket_say() {
    let access_point = "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/tweets";
    for (url, variable, host) in [
        ("s3://tweets", None, "tweets.s3.eu-west-1.amazonaws.com:443"),
        ("s3://tweets", Some("AWS_USE_DUALSTACK_ENDPOINT"), "tweets.s3.dualstack.eu-west-1.amazonaws.com:443"),
        ("s3://tweets", Some("AWS_USE_FIPS_ENDPOINT"), "tweets.s3-fips.eu-west-1.amazonaws.com:443"),
        (access_point, None, "tweets-123456789012.s3-accesspoint.eu-west-1.amazonaws.com:443"),
    ] {
        let (address, asked) = proxy();
        let mut place = place(url);
        place.set("HTTPS_PROXY", &address).set("AWS_ACCESS_KEY_ID", "id").set("AWS_SECRET_ACCESS_KEY", "secret");
        if let Some(variable) = variable {
            place.set(variable, "true");
        }
        let ended = place.ingest("hours --region eu-west-1 --max-attempts 1");
        assert_eq!(ended.code, Some(4), "{}", ended.err);
        let first = asked.try_recv();
        assert_eq!(first.as_deref(), Ok(host), "{}", ended.err);
        assert!(asked.try_iter().all(|again| again == host));
    }
}
