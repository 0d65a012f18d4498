//! What is read out of a certificate: whose it is, when it ends, and its channel-binding hash.

use std::fmt::Write;

use aws_lc_rs::digest;
use jiff::Timestamp;
use x509_parser::{
    certificate::X509Certificate,
    extensions::GeneralName,
    oid_registry::{
        OID_HASH_SHA1, OID_NIST_HASH_SHA256, OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512,
        OID_PKCS1_MD5WITHRSAENC, OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA1WITHRSA, OID_PKCS1_SHA224WITHRSA,
        OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA224,
        OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, Oid,
    },
    prelude::FromDer,
    signature_algorithm::RsaSsaPssParams,
    x509::{AlgorithmIdentifier, AttributeTypeAndValue, X509Name},
};

use crate::net::error::NetError;

/// The `tls-server-end-point` channel-binding data of a server's leaf certificate (DER).
///
/// `None` where the standard leaves it undefined (Ed25519 and other signatures without a hash of their own):
/// SCRAM-SHA-256-PLUS cannot be offered then.
///
/// Source: RFC 5929, section 4.1.
pub fn end_point(leaf: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let algorithm = signature_hash(&certificate.signature_algorithm)?;
    Some(digest::digest(algorithm, leaf).as_ref().to_vec())
}

/// First second at which a certificate (DER) is no longer valid.
///
/// # Errors
/// `CertificateSyntax`.
pub fn expires_at(leaf: &[u8]) -> Result<Timestamp, NetError> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| NetError::CertificateSyntax)?;
    // The last valid second is part of the validity (RFC 5280, section 4.1.2.5).
    let seconds = certificate.validity().not_after.timestamp().saturating_add(1);
    Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX))
}

/// Whom a verified client certificate (DER) stands for: its subject as RFC 4514 text, if it has one, then its
/// alternative names as `email:…`, `dns:…` and `uri:…`, in the certificate's order.
///
/// A subject always has `=` before any `:`, so it never reads as an alternative name.
///
/// # Errors
/// `CertificateSyntax`.
pub fn identities(leaf: &[u8]) -> Result<Vec<String>, NetError> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| NetError::CertificateSyntax)?;
    let mut found = Vec::new();
    let subject = subject_text(certificate.subject())?;
    if !subject.is_empty() {
        found.push(subject);
    }
    let names = certificate.subject_alternative_name().map_err(|_| NetError::CertificateSyntax)?;
    for name in names.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::RFC822Name(name) => found.push(format!("email:{name}")),
            GeneralName::DNSName(name) => found.push(format!("dns:{name}")),
            GeneralName::URI(name) => found.push(format!("uri:{name}")),
            GeneralName::OtherName(..)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_)
            | GeneralName::Invalid(..) => {}
        }
    }
    Ok(found)
}

/// The hash that a signature is made over; SHA-256 in place of MD5 and SHA-1.
fn signature_hash(signature: &AlgorithmIdentifier<'_>) -> Option<&'static digest::Algorithm> {
    let oid = signature.oid();
    if *oid == OID_PKCS1_RSASSAPSS {
        let parameters = RsaSsaPssParams::try_from(signature.parameters.as_ref()?).ok()?;
        let hash = parameters.hash_algorithm_oid();
        return HASHES.iter().find(|(known, _)| known == hash).map(|(_, hash)| *hash);
    }
    SIGNATURES.iter().find(|(known, _)| known == oid).map(|(_, hash)| *hash)
}

static HASHES: &[(Oid<'static>, &digest::Algorithm)] = &[
    (OID_HASH_SHA1, &digest::SHA256),
    (OID_NIST_HASH_SHA256, &digest::SHA256),
    (OID_NIST_HASH_SHA384, &digest::SHA384),
    (OID_NIST_HASH_SHA512, &digest::SHA512),
];

static SIGNATURES: &[(Oid<'static>, &digest::Algorithm)] = &[
    (OID_PKCS1_MD5WITHRSAENC, &digest::SHA256),
    (OID_PKCS1_SHA1WITHRSA, &digest::SHA256),
    (OID_PKCS1_SHA224WITHRSA, &digest::SHA224),
    (OID_PKCS1_SHA256WITHRSA, &digest::SHA256),
    (OID_PKCS1_SHA384WITHRSA, &digest::SHA384),
    (OID_PKCS1_SHA512WITHRSA, &digest::SHA512),
    (OID_SIG_ECDSA_WITH_SHA224, &digest::SHA224),
    (OID_SIG_ECDSA_WITH_SHA256, &digest::SHA256),
    (OID_SIG_ECDSA_WITH_SHA384, &digest::SHA384),
    (OID_SIG_ECDSA_WITH_SHA512, &digest::SHA512),
];

/// A name as RFC 4514 text: most specific part first, UTF-8 as it is, `emailAddress` by its name.
///
/// Source: RFC 4514, section 2.
fn subject_text(name: &X509Name<'_>) -> Result<String, NetError> {
    let mut text = String::new();
    let parts = name.iter_rdn().collect::<Vec<_>>();
    for part in parts.into_iter().rev() {
        let mut separator = if text.is_empty() { "" } else { "," };
        for attribute in part.iter() {
            text.push_str(separator);
            separator = "+";
            push_attribute(&mut text, attribute)?;
        }
    }
    Ok(text)
}

fn push_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) -> Result<(), NetError> {
    let oid = attribute.attr_type().to_id_string();
    let known = ATTRIBUTES.iter().find(|(id, _)| *id == oid).map(|(_, name)| *name);
    text.push_str(known.unwrap_or(&oid));
    text.push('=');
    match (known, attribute.as_str()) {
        (Some(_), Ok(value)) => push_escaped(text, value),
        // Types without a name, and strings that are not ASCII or UTF-8, are written as their DER.
        (None, _) | (Some(_), Err(_)) => {
            let value = attribute.attr_value();
            text.push('#');
            let der =
                x509_parser::asn1_rs::ToDer::to_der_vec(value).map_err(|_| NetError::CertificateSyntax)?;
            for byte in der {
                let _ = write!(text, "{byte:02X}");
            }
        }
    }
    Ok(())
}

fn push_escaped(text: &mut String, value: &str) {
    let last = value.chars().count().saturating_sub(1);
    for (at, letter) in value.chars().enumerate() {
        match letter {
            '\0' => text.push_str("\\00"),
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', letter]),
            '#' if at == 0 => text.push_str("\\#"),
            ' ' if at == 0 || at == last => text.push_str("\\ "),
            _ => text.push(letter),
        }
    }
}

/// Object identifiers that have a name. Source: RFC 4514, section 3; the last one as openssl writes it.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(params: CertificateParams, key: &KeyPair) -> Vec<u8> {
        params.self_signed(key).unwrap().der().to_vec()
    }

    fn named(parts: &[(DnType, &str)]) -> Vec<String> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        identities(&certificate(params, &KeyPair::generate().unwrap())).unwrap()
    }

    #[test]
    fn a_subject_is_written_most_specific_part_first() {
        let found = named(&[
            (DnType::CountryName, "NL"),
            (DnType::OrganizationName, "Ex, Inc. "),
            (DnType::CommonName, "#dana \"d\" é"),
        ]);
        assert_eq!(found, [r#"CN=\#dana \"d\" é,O=Ex\, Inc.\ ,C=NL"#]);
    }

    #[test]
    fn an_attribute_without_a_name_is_written_as_der() {
        let found = named(&[(DnType::CustomDnType(vec![2, 5, 4, 12]), "Dr")]);
        assert_eq!(found, ["2.5.4.12=#0C024472"]);
    }

    #[test]
    fn alternative_names_follow_the_subject_and_no_subject_is_no_identity() {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![
            SanType::Rfc822Name("dana@example.com".try_into().unwrap()),
            SanType::DnsName("agent.example.com".try_into().unwrap()),
            SanType::URI("spiffe://example/agent".try_into().unwrap()),
            SanType::IpAddress([127, 0, 0, 1].into()),
        ];
        let found = identities(&certificate(params, &KeyPair::generate().unwrap())).unwrap();
        assert_eq!(found, ["email:dana@example.com", "dns:agent.example.com", "uri:spiffe://example/agent"]);
    }

    #[test]
    fn the_end_point_is_hashed_as_the_signature_is() {
        for (algorithm, hash) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let der = certificate(CertificateParams::default(), &KeyPair::generate_for(algorithm).unwrap());
            let expected = hash.map(|hash| digest::digest(hash, &der).as_ref().to_vec());
            assert_eq!(end_point(&der), expected);
        }
    }

    #[test]
    fn foreign_bytes_are_refused() {
        assert!(identities(b"\x30\x03\x02\x01\x01").is_err());
        assert!(expires_at(b"").is_err());
        assert_eq!(end_point(b"x"), None);
    }
}
