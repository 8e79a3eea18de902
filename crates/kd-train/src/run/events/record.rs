//! The records of an event file: messages with their lengths and checksums.

use prost::Message;

use super::message::Event;

/// A record: length, its checksum, the message, its checksum.
pub(super) fn record(event: &Event) -> Vec<u8> {
    let message = event.encode_to_vec();
    let length = (message.len() as u64).to_le_bytes();
    let mut bytes = Vec::with_capacity(message.len() + 16);
    bytes.extend(length);
    bytes.extend(masked_checksum(&length).to_le_bytes());
    bytes.extend(&message);
    bytes.extend(masked_checksum(&message).to_le_bytes());
    bytes
}

/// The whole records of a file, as events and as they stand there. What follows a record that is damaged
/// is left out.
pub(super) fn records(mut bytes: &[u8]) -> impl Iterator<Item = (Event, &[u8])> {
    std::iter::from_fn(move || {
        let (event, rest) = first_event(bytes)?;
        let record = &bytes[..bytes.len() - rest.len()];
        bytes = rest;
        Some((event, record))
    })
}

/// The event of the first record, if that is whole, and what follows.
fn first_event(bytes: &[u8]) -> Option<(Event, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    if masked_checksum(length) != u32::from_le_bytes(*sum) {
        return None;
    }
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let (message, rest) = rest.split_at_checked(length)?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    if masked_checksum(message) != u32::from_le_bytes(*sum) {
        return None;
    }
    Some((Event::decode(message).ok()?, rest))
}

/// CRC-32C, rotated and shifted as the format asks, so that a checksum of data that hold
/// checksums stays good.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(step: i64) -> Event {
        Event {
            wall_time: 7.0,
            step,
            what: None,
        }
    }

    #[test]
    fn damaged_files_are_read_up_to_the_damage() {
        let mut bytes = record(&event(1));
        let whole = bytes.len();
        bytes.extend(record(&event(2)));
        let steps = |bytes: &[u8]| -> Vec<i64> {
            let records = records(bytes);
            records.map(|(event, _)| event.step).collect()
        };
        for end in 0..bytes.len() {
            let expected: &[i64] = if end < whole { &[] } else { &[1] };
            assert_eq!(steps(&bytes[..end]), expected);
        }
        assert_eq!(steps(&bytes), [1, 2]);
        let as_they_stand: Vec<u8> = records(&bytes)
            .flat_map(|(_, record)| record)
            .copied()
            .collect();
        assert_eq!(as_they_stand, bytes);
        bytes[..8].fill(0xff);
        assert!(steps(&bytes).is_empty());
    }

    #[test]
    fn the_checksum_of_a_known_text() {
        // CRC-32C of "123456789" is 0xe3069283.
        let rotated = 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked_checksum(b"123456789"), rotated);
    }
}
