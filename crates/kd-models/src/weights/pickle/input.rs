//! The bytes of a pickle.

use std::io::{BufRead, Read};

use super::PickleError;

/// Reads the parts of instructions.
pub(super) struct Input<'a, R> {
    reader: &'a mut R,
}

impl<'a, R: BufRead> Input<'a, R> {
    pub(super) fn new(reader: &'a mut R) -> Self {
        Self { reader }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, PickleError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A length of 1, 4 or 8 bytes.
    pub(super) fn length<const N: usize>(&mut self) -> Result<u64, PickleError> {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(&self.array::<N>()?);
        Ok(u64::from_le_bytes(bytes))
    }

    /// So many bytes. Nothing is set aside for bytes that do not come.
    pub(super) fn bytes(&mut self, length: u64) -> Result<Vec<u8>, PickleError> {
        let mut bytes = Vec::new();
        Read::take(&mut *self.reader, length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(PickleError::Damaged("the pickle is truncated".to_owned()));
        }
        Ok(bytes)
    }

    pub(super) fn text(&mut self, length: u64) -> Result<String, PickleError> {
        let bytes = self.bytes(length)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// A line without its end.
    pub(super) fn line(&mut self) -> Result<String, PickleError> {
        let mut bytes = Vec::new();
        self.reader.read_until(b'\n', &mut bytes)?;
        match bytes.pop() {
            Some(b'\n') => Ok(String::from_utf8_lossy(&bytes).trim_end().to_owned()),
            _ => Err(PickleError::Damaged("the pickle is truncated".to_owned())),
        }
    }

    /// A whole number of so many bytes, in two's complement.
    pub(super) fn long(&mut self, length: u64) -> Result<i128, PickleError> {
        let bytes = self.bytes(length)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        if bytes.len() > 16 {
            return Ok(i128::MAX);
        }
        let mut whole = [if negative { 0xff } else { 0 }; 16];
        whole[..bytes.len()].copy_from_slice(&bytes);
        Ok(i128::from_le_bytes(whole))
    }
}
