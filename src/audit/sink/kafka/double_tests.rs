//! A broker that understands what we send, and what becomes of it.

use std::collections::BTreeMap;

use bytes::BufMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::codec::{Fields, put_text};

/// A message as a consumer would see it.
#[derive(Clone, Debug)]
pub(in crate::audit::sink) struct Taken {
    pub(in crate::audit::sink) partition: i32,
    pub(in crate::audit::sink) key: String,
    pub(in crate::audit::sink) value: Vec<u8>,
    pub(in crate::audit::sink) headers: BTreeMap<String, String>,
}

/// Answers the requests of a connection until it ends; batches above `most_bytes` are too large for it.
pub(in crate::audit::sink) async fn answer(
    mut stream: TcpStream,
    most_bytes: usize,
    mut tell: impl FnMut(Taken),
) -> Option<()> {
    let port = i32::from(stream.local_addr().ok()?.port());
    loop {
        let length = usize::try_from(stream.read_i32().await.ok()?).unwrap();
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).await.ok()?;
        let mut request = Fields::new("request", &bytes);
        let (key, version) = (request.int16().unwrap(), request.int16().unwrap());
        let number = request.int32().unwrap();
        assert_eq!(request.text().unwrap(), "tidegate");
        let mut out = Vec::new();
        out.put_i32(number);
        match (key, version) {
            (18, 0) => {
                out.put_slice(&[0, 0, 0, 0, 0, 3]);
                [0, 3, 9, 3, 0, 12, 18, 0, 3].into_iter().for_each(|number| out.put_i16(number));
            }
            (3, 4) => {
                assert_eq!(request.count().unwrap(), 1);
                metadata(request.text().unwrap(), port, &mut out);
                assert_eq!(request.int8().unwrap(), 0, "a topic is not made");
            }
            (0, 3) => produced(&mut request, most_bytes, &mut tell, &mut out),
            other => panic!("request {other:?}"),
        }
        stream.write_i32(i32::try_from(out.len()).unwrap()).await.ok()?;
        stream.write_all(&out).await.ok()?;
    }
}

/// Three partitions, the last first; this broker leads them all.
fn metadata(topic: &str, port: i32, out: &mut Vec<u8>) {
    [0, 1, 7].into_iter().for_each(|number| out.put_i32(number));
    put_text("127.0.0.1", out);
    out.put_i32(port);
    out.put_i16(-1);
    put_text("a-cluster", out);
    [7, 1].into_iter().for_each(|number| out.put_i32(number));
    out.put_i16(0);
    put_text(topic, out);
    out.put_u8(0);
    out.put_i32(3);
    for partition in [2, 0, 1] {
        out.put_i16(0);
        [partition, 7, 1, 7, 1, 7].into_iter().for_each(|number| out.put_i32(number));
    }
}

fn produced(request: &mut Fields<'_>, most_bytes: usize, tell: &mut impl FnMut(Taken), out: &mut Vec<u8>) {
    assert_eq!((request.text().unwrap(), request.int16().unwrap()), ("", -1), "acks=all");
    assert_eq!((request.int32().unwrap(), request.count().unwrap()), (30_000, 1));
    let topic = request.text().unwrap();
    assert_eq!(request.count().unwrap(), 1);
    let (partition, batch) = (request.int32().unwrap(), request.bytes().unwrap());
    let code = if batch.len() > most_bytes { 10 } else { 0 };
    if code == 0 {
        read_batch(batch, partition).into_iter().for_each(tell);
    }
    out.put_i32(1);
    put_text(topic, out);
    out.put_i32(1);
    out.put_i32(partition);
    out.put_i16(code);
    out.put_i64(0);
    out.put_i64(-1);
    out.put_i32(0);
}

fn read_batch(batch: &[u8], partition: i32) -> Vec<Taken> {
    let mut fields = Fields::new("batch", batch);
    assert_eq!((fields.int64().unwrap(), fields.int32().unwrap() as usize), (0, batch.len() - 12));
    assert_eq!((fields.int32().unwrap(), fields.int8().unwrap()), (-1, 2));
    let mut rest = &batch[57..];
    let count = i32::from_be_bytes(*rest.first_chunk().unwrap());
    rest = &rest[4..];
    (0..count)
        .map(|offset| {
            let length = varint(&mut rest);
            let (mut record, after) = rest.split_at(usize::try_from(length).unwrap());
            rest = after;
            record = &record[1..];
            varint(&mut record);
            assert_eq!(varint(&mut record), i64::from(offset));
            let key = String::from_utf8(counted(&mut record)).unwrap();
            let value = counted(&mut record);
            let headers = (0..varint(&mut record))
                .map(|_| (counted(&mut record), counted(&mut record)))
                .map(|(name, value)| (String::from_utf8(name).unwrap(), String::from_utf8(value).unwrap()))
                .collect();
            assert!(record.is_empty());
            Taken { partition, key, value, headers }
        })
        .collect()
}

fn counted(bytes: &mut &[u8]) -> Vec<u8> {
    let length = usize::try_from(varint(bytes)).unwrap();
    let (taken, rest) = bytes.split_at(length);
    *bytes = rest;
    taken.to_vec()
}

fn varint(bytes: &mut &[u8]) -> i64 {
    let mut number = 0_u64;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
