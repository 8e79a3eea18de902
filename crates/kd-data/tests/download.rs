//! Fetching from a server of the test's own.
#![cfg(feature = "download")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use flate2::{Compression, write::GzEncoder};
use kd_data::{Archive, DataError};
use md5::{Digest, Md5};

/// What the server does with a request.
#[derive(Clone, Copy)]
enum Answer {
    /// All that is asked for.
    Whole,
    /// The whole file from its beginning, whatever is asked for.
    Ignorant,
    /// So many bytes of what is asked for, and then the connection ends.
    Cut(usize),
    /// No such file.
    Missing,
}

/// A server that gives one answer a request; the receiver gets the bytes at which they start.
fn serve(content: Vec<u8>, answers: Vec<Answer>) -> (String, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, starts) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut start = 0;
            for line in BufReader::new(&stream).lines() {
                let line = line.expect("a header").to_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(range) = line.strip_prefix("range: bytes=") {
                    start = range.trim_end_matches('-').parse().expect("a number");
                }
            }
            sender.send(start).expect("the test waits");
            let wanted = &content[start.min(content.len())..];
            let (status, body) = match answer {
                Answer::Missing => ("404 Not Found", &[][..]),
                Answer::Ignorant => ("200 OK", &content[..]),
                _ if start > 0 && wanted.is_empty() => ("416 Range Not Satisfiable", wanted),
                _ if start > 0 => ("206 Partial Content", wanted),
                _ => ("200 OK", wanted),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let sent = match answer {
                Answer::Cut(count) => &body[..count.min(length)],
                _ => body,
            };
            stream.write_all(head.as_bytes()).expect("a client");
            stream.write_all(sent).expect("a client");
        }
    });
    (format!("http://{address}/data/set.tar.gz"), starts)
}

/// A small archive that holds `set/hello.txt`.
fn archive() -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    let mut header = tar::Header::new_gnu();
    let content = b"hello".repeat(1000);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "set/hello.txt", &*content)
        .expect("in memory");
    let gz = tar.into_inner().expect("in memory");
    gz.finish().expect("in memory")
}

fn md5(bytes: &[u8]) -> String {
    let sum = Md5::digest(bytes);
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.expect("an entry").file_name();
        name.into_string().expect("text")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

fn fetch(answers: Vec<Answer>, folder: &Path) -> (Result<(), DataError>, Vec<usize>) {
    let content = archive();
    let md5 = md5(&content);
    let (url, starts) = serve(content, answers);
    let result = Archive { url, md5 }.fetch(folder);
    (result, starts.try_iter().collect())
}

#[test]
fn an_archive_is_fetched_compared_and_unpacked() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("new");
    let (result, _) = fetch(vec![Answer::Whole], &place);
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(names(&place), ["set", "set.tar.gz"]);
    let text = fs::read(place.join("set/hello.txt")).expect("the file");
    assert_eq!(text, b"hello".repeat(1000));
    // The second time nothing is asked of the server, which gives no answer.
    fs::remove_dir_all(place.join("set")).expect("removed");
    let (result, starts) = fetch(vec![], &place);
    result.unwrap_or_else(|error| panic!("{error}"));
    assert!(starts.is_empty());
    assert_eq!(names(&place), ["set", "set.tar.gz"]);
}

#[test]
fn a_connection_that_breaks_off_is_continued_where_it_ended() {
    let folder = tempfile::tempdir().expect("a folder");
    let answers = vec![Answer::Cut(1000), Answer::Cut(500), Answer::Whole];
    let (result, starts) = fetch(answers, folder.path());
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(starts, [0, 1000, 1500]);
    assert_eq!(names(folder.path()), ["set", "set.tar.gz"]);
}

#[test]
fn what_has_arrived_is_kept_for_the_next_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let answers = vec![Answer::Cut(700), Answer::Missing, Answer::Missing];
    let (result, _) = fetch(answers, folder.path());
    let message = result.expect_err("no answer").to_string();
    assert!(
        message.contains("the server returned status 404"),
        "{message}"
    );
    assert_eq!(names(folder.path()), ["set.tar.gz.part"]);
    let (result, starts) = fetch(vec![Answer::Whole], folder.path());
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(starts, [700]);
}

#[test]
fn a_server_without_ranges_sends_all_once_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let answers = vec![Answer::Cut(1000), Answer::Ignorant];
    let (result, _) = fetch(answers, folder.path());
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(names(folder.path()), ["set", "set.tar.gz"]);
}

#[test]
fn a_part_that_is_complete_is_not_fetched_again() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("set.tar.gz.part"), archive()).expect("a file");
    let (result, starts) = fetch(vec![Answer::Whole], folder.path());
    result.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(starts, [archive().len()]);
}

#[test]
fn a_wrong_checksum_is_refused_and_the_file_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _starts) = serve(archive(), vec![Answer::Whole]);
    let md5 = "0".repeat(32);
    let error = Archive { url, md5 }.fetch(folder.path());
    let message = error.expect_err("another sum").to_string();
    assert!(
        message.contains("expected 0000") && message.lines().count() == 1,
        "{message}"
    );
    assert!(names(folder.path()).is_empty());
}

#[test]
fn an_archive_that_cannot_be_unpacked_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let content = b"no archive".to_vec();
    let md5 = md5(&content);
    let (url, _starts) = serve(content, vec![Answer::Whole]);
    let error = Archive { url, md5 }.fetch(folder.path());
    let message = error.expect_err("no archive").to_string();
    assert!(message.contains("set.tar.gz: cannot unpack"), "{message}");
    assert_eq!(names(folder.path()), ["set.tar.gz"]);
}

#[test]
fn a_server_that_is_not_there_is_an_error_of_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let archive = Archive {
        url: format!("http://{address}/set.zip"),
        md5: String::new(),
    };
    let message = archive
        .fetch(folder.path())
        .expect_err("nobody")
        .to_string();
    assert!(
        message.starts_with("cannot download http://127.0.0.1"),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
}
