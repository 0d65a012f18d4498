//! What it costs to pass rows on: reading headers, holding them against the ledger, copying to the client's buffer.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use bytes::{Buf, BufMut, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidegate::wire::postgres::{
    backend,
    frame::header,
    ledger::{Ledger, Owed, Step},
};

/// About as much as one read brings.
const CHUNK_BYTES: usize = 64 * 1024;

fn rows(row_bytes: usize) -> BytesMut {
    let mut out = BytesMut::new();
    while out.len() < CHUNK_BYTES {
        backend::message(&mut out, b'D', |out| {
            out.put_u16(1);
            out.put_u32(u32::try_from(row_bytes).unwrap());
            out.put_bytes(b'x', row_bytes);
        });
    }
    out
}

fn relay(criterion: &mut Criterion) {
    for row_bytes in [16, 128, 4096] {
        let chunk = rows(row_bytes);
        let mut group = criterion.benchmark_group("relay");
        group.throughput(Throughput::Bytes(chunk.len() as u64));
        group.bench_function(format!("rows of {row_bytes} bytes"), |bencher| {
            let mut ledger = Ledger::default();
            ledger.push(Owed::Execute(()));
            let mut outbound = BytesMut::with_capacity(2 * CHUNK_BYTES);
            bencher.iter(|| {
                let mut input = chunk.as_ref();
                while let Ok(Some(next)) = header(input, usize::MAX) {
                    assert!(matches!(ledger.receive(next.tag), Ok(Step::Forward)));
                    outbound.extend_from_slice(input.get(..next.total_bytes).unwrap());
                    input.advance(next.total_bytes);
                }
                black_box(&outbound);
                outbound.clear();
            });
        });
        group.finish();
    }
}

criterion_group!(benches, relay);
criterion_main!(benches);
