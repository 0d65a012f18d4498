//! Whether traces are made, and where they go.

use super::{check::Place, error::ConfigError, limits::bounded, otlp, raw::RawTelemetry, settings::Traces};

/// Checks and completes what is written of telemetry.
pub(super) fn read(place: &mut Place<'_>, raw: &RawTelemetry) -> Result<Option<Traces>, ConfigError> {
    let Some(traces) = &raw.traces else { return Ok(None) };
    let otlp = otlp::read(place, "telemetry.traces.otlp", &traces.otlp)?;
    let one_in = bounded(place, "telemetry.traces.one_in", traces.one_in.as_ref(), 100, 1, 1_000_000_000)?;
    Ok(Some(Traces { otlp, one_in }))
}

#[cfg(test)]
mod tests {
    use crate::config::{ConfigError, Traces, load};

    fn traces(written: &str) -> Result<Option<Traces>, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tidegate.yaml");
        let rest = "data_dir: data
listeners: [{ address: \"127.0.0.1:6432\", targets: [hr], plaintext: true }]
targets:
  - { name: hr, environment: prod, endpoint: \"db:5432\", accounts: { read: { user: r, password_env: READER } } }
";
        std::fs::write(&file, format!("{rest}{written}")).unwrap();
        Ok(load(&file, |_| Some("s3cret".to_owned()))?.traces)
    }

    #[test]
    fn no_traces_are_made_unless_it_is_written() {
        assert!(traces("").unwrap().is_none() && traces("telemetry: {}").unwrap().is_none());
        let otlp = "otlp: { url: \"https://otel/v1/traces\", token_env: TOKEN }";
        let made = traces(&format!("telemetry: {{ traces: {{ {otlp} }} }}")).unwrap().unwrap();
        assert_eq!((made.otlp.url.as_str(), made.one_in), ("https://otel/v1/traces", 100));
        assert_eq!(made.otlp.token.unwrap().expose(), "s3cret");
        let made = traces(&format!("telemetry: {{ traces: {{ {otlp}, one_in: 1 }} }}")).unwrap().unwrap();
        assert_eq!(made.one_in, 1);
    }

    #[test]
    fn what_is_wrong_with_them_is_told_with_its_key() {
        for (written, words) in [
            ("{ otlp: { url: \"http://otel/v1/traces\" } }", "5: telemetry.traces.otlp.url: \"http://otel"),
            ("{ otlp: { url: \"https://otel\" }, one_in: 0 }", "5: telemetry.traces.one_in: 0 is out of"),
            ("{ one_in: 5 }", "missing key"),
        ] {
            let error = traces(&format!("telemetry: {{ traces: {written} }}")).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
