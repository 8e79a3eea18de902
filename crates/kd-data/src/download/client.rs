//! A client for what fetching a public file takes of HTTP: `GET`, a range, redirections, TLS.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// How long a server may take to answer, and between two pieces of a file.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a server may send elsewhere.
const REDIRECTIONS: usize = 5;

/// Greatest size of the head of an answer, in bytes, and number of its lines.
const HEAD: (u64, usize) = (1 << 16, 100);

/// What a server answers.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Bytes that are still to come.
    left: u64,
    body: BufReader<Box<dyn Connection>>,
}

trait Connection: Read + Write {}

impl<T: Read + Write> Connection for T {}

/// The parts of an address.
struct Address<'a> {
    secure: bool,
    host: &'a str,
    port: u16,
    path: &'a str,
}

impl Answer {
    /// The next bytes, none at the end; a connection that ends before it is an error.
    pub(super) fn read(&mut self, chunk: &mut [u8]) -> Result<usize> {
        let wanted = chunk
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.body.read(&mut chunk[..wanted])?;
        if count == 0 && wanted > 0 {
            let reason = format!("the connection ended {} bytes early", self.left);
            return Err(Error::new(ErrorKind::UnexpectedEof, reason));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

/// Asks for a file from byte `start` on.
pub(super) fn get(url: &str, start: u64) -> Result<Answer> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTIONS {
        let address = Address::of(&url)?;
        let mut body = BufReader::new(address.connect()?);
        let (host, path) = (address.host_line(), address.path);
        let range = match start {
            0 => String::new(),
            start => format!("Range: bytes={start}-\r\n"),
        };
        let agent = concat!("kd-data/", env!("CARGO_PKG_VERSION"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n\
             Accept-Encoding: identity\r\nConnection: close\r\n{range}\r\n"
        );
        body.get_mut().write_all(request.as_bytes())?;
        body.get_mut().flush()?;
        let head = read_head(&mut body)?;
        match head {
            Head {
                status: 301 | 302 | 303 | 307 | 308,
                location: Some(location),
                ..
            } => url = address.resolve(&location),
            Head { status, length, .. } => {
                return Ok(Answer {
                    status,
                    left: length,
                    body,
                });
            }
        }
    }
    Err(Error::other("too many redirects"))
}

/// What counts of the head of an answer.
struct Head {
    status: u16,
    length: u64,
    location: Option<String>,
}

fn read_head(reader: &mut impl BufRead) -> Result<Head> {
    let invalid = |reason: &str| Error::new(ErrorKind::InvalidData, reason.to_owned());
    let mut bytes = Vec::new();
    let mut limited = reader.take(HEAD.0);
    while !bytes.ends_with(b"\r\n\r\n") {
        if limited.read_until(b'\n', &mut bytes)? == 0 {
            return Err(invalid("the server sent no HTTP response"));
        }
    }
    let mut lines = [httparse::EMPTY_HEADER; HEAD.1];
    let mut response = httparse::Response::new(&mut lines);
    response
        .parse(&bytes)
        .map_err(|error| invalid(&format!("invalid HTTP response: {error}")))?;
    let status = response.code.unwrap_or_default();
    let line = |name: &str| {
        let mut lines = response.headers.iter();
        let line = lines.find(|line| line.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(line.value).ok().map(str::trim)
    };
    let length = line("content-length").map(str::parse).transpose();
    let length = length.map_err(|_| invalid("the server does not state the size of the file"))?;
    if matches!(status, 200 | 206) && length.is_none() {
        return Err(invalid("the server does not state the size of the file"));
    }
    Ok(Head {
        status,
        length: length.unwrap_or(0),
        location: line("location").map(str::to_owned),
    })
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Result<Self> {
        let parts = |url: &'a str| {
            let (scheme, rest) = url.split_once("://")?;
            let secure = match scheme {
                "http" => false,
                "https" => true,
                _ => return None,
            };
            let slash = rest.find('/')?;
            let (place, path) = rest.split_at(slash);
            let (host, port) = match place.split_once(':') {
                Some((host, port)) => (host, port.parse().ok()?),
                None => (place, if secure { 443 } else { 80 }),
            };
            Some(Self {
                secure,
                host,
                port,
                path,
            })
        };
        let invalid = || Error::new(ErrorKind::InvalidInput, format!("{url} is not an HTTP URL"));
        parts(url).ok_or_else(invalid)
    }

    /// The host, with its port if that is not the usual one.
    fn host_line(&self) -> String {
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => self.host.to_owned(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// The address that a server sends to.
    fn resolve(&self, location: &str) -> String {
        if location.contains("://") {
            return location.to_owned();
        }
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{location}", self.host_line())
    }

    fn connect(&self) -> Result<Box<dyn Connection>> {
        let mut last = Error::new(ErrorKind::NotFound, "the host has no address");
        for place in (self.host, self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&place, TIMEOUT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(TIMEOUT))?;
                    stream.set_write_timeout(Some(TIMEOUT))?;
                    return match self.secure {
                        true => Ok(Box::new(encrypted(self.host, stream)?)),
                        false => Ok(Box::new(stream)),
                    };
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// TLS over a connection, with the certificates that browsers trust.
fn encrypted(host: &str, stream: TcpStream) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart_and_resolved() {
        let address = Address::of("https://host.org/a/b.zip").expect("an address");
        assert_eq!((address.host, address.port), ("host.org", 443));
        assert_eq!((address.path, address.secure), ("/a/b.zip", true));
        assert_eq!(address.resolve("/c.zip"), "https://host.org/c.zip");
        assert_eq!(address.resolve("http://other/c"), "http://other/c");
        let local = Address::of("http://127.0.0.1:81/x").expect("an address");
        assert_eq!(
            (local.host, local.port, local.secure),
            ("127.0.0.1", 81, false)
        );
        for wrong in [
            "ftp://host/x",
            "host/x",
            "http://host",
            "http://host:port/x",
        ] {
            assert!(Address::of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_answer_that_is_not_http_or_endless_is_refused() {
        for wrong in [
            &b""[..],
            b"hello\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n",
        ] {
            assert!(read_head(&mut &*wrong).is_err(), "{wrong:?}");
        }
        let endless = b"HTTP/1.1 200 OK\r\n".repeat(10_000);
        assert!(read_head(&mut &*endless).is_err());
    }
}
