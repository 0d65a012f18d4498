//! What a prepared statement returns, as far as a client that was told once reads rows by it.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use super::frame::Fields;
use crate::wire::WireError;

/// Names, types and modifiers of the columns, in few bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape([u8; SHA256_OUTPUT_LEN]);

impl Shape {
    /// That of a RowDescription's body, or of NoData, which has none.
    ///
    /// Where a column comes from and in which format it is sent tells nothing of how it is read: the one may change, and
    /// a portal has the other from its Bind. A body that is not laid out so has a shape of its own.
    pub fn of(tag: u8, body: &[u8]) -> Self {
        Self::read(tag, body).unwrap_or_else(|_| {
            let mut digest = Context::new(&SHA256);
            digest.update(body);
            Self::finish(digest)
        })
    }

    fn read(tag: u8, body: &[u8]) -> Result<Self, WireError> {
        let mut digest = Context::new(&SHA256);
        digest.update(&[tag]);
        if tag == b'T' {
            let mut fields = Fields::new(body, "RowDescription");
            for _ in 0..fields.count()? {
                digest.update(fields.text()?.as_bytes());
                digest.update(&[0]);
                // Its table, and its number there.
                fields.int32()?;
                fields.count()?;
                digest.update(&fields.int32()?.to_be_bytes());
                digest.update(&fields.count()?.to_be_bytes());
                digest.update(&fields.int32()?.to_be_bytes());
                // Its format.
                fields.count()?;
            }
        }
        Ok(Self::finish(digest))
    }

    fn finish(digest: Context) -> Self {
        let mut shape = [0; SHA256_OUTPUT_LEN];
        shape.copy_from_slice(digest.finish().as_ref());
        Self(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, table: i32, kind: i32, modifier: i32, format: u16) -> Vec<u8> {
        let mut body = 1_u16.to_be_bytes().to_vec();
        body.extend(name.as_bytes());
        body.push(0);
        body.extend(table.to_be_bytes());
        body.extend(1_u16.to_be_bytes());
        body.extend(kind.to_be_bytes());
        body.extend(4_u16.to_be_bytes());
        body.extend(modifier.to_be_bytes());
        body.extend(format.to_be_bytes());
        body
    }

    #[test]
    fn name_type_and_modifier_make_a_shape_and_the_rest_does_not() {
        let shape = |body: &[u8]| Shape::of(b'T', body);
        let one = shape(&column("a", 7, 23, -1, 0));
        assert_eq!(one, shape(&column("a", 8, 23, -1, 1)));
        for other in [column("b", 7, 23, -1, 0), column("a", 7, 25, -1, 0), column("a", 7, 23, 9, 0)] {
            assert_ne!(one, shape(&other));
        }
        assert_ne!(shape(&0_u16.to_be_bytes()), Shape::of(b'n', b""));
        assert_ne!(shape(b"\0\x01a"), shape(b"\0\x01b"));
    }
}
