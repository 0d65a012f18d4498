//! Where AWS credentials come from.

use aws_config::{
    BehaviorVersion, Region, default_provider::credentials::DefaultCredentialsChain, sts::AssumeRoleProvider,
};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::OnceCell;

/// What the configuration says of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSettings {
    /// Where STS is asked.
    pub region: String,
    /// The profile of AWS's own files; `None` is what `AWS_PROFILE` says, or "default".
    pub profile: Option<String>,
    /// A role that is taken on with what the chain gives; `None` is none.
    pub role_arn: Option<String>,
}

/// The chain of AWS's SDKs: environment, profile, web identity, container (ECS and EKS), instance metadata (version 2).
///
/// Asks anew each time and keeps nothing; built when it is first asked.
#[derive(Debug)]
pub struct StandardChain {
    settings: ChainSettings,
    provider: OnceCell<SharedCredentialsProvider>,
}

impl StandardChain {
    /// Looks at nothing yet.
    pub fn new(settings: ChainSettings) -> Self {
        Self { settings, provider: OnceCell::new() }
    }

    async fn build(&self) -> SharedCredentialsProvider {
        let ChainSettings { region, profile, role_arn } = &self.settings;
        let region = Region::new(region.clone());
        let mut chain = DefaultCredentialsChain::builder().region(region.clone());
        if let Some(profile) = profile {
            chain = chain.profile_name(profile);
        }
        let chain = SharedCredentialsProvider::new(chain.build().await);
        let Some(role_arn) = role_arn else { return chain };
        let mut config = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .credentials_provider(chain.clone());
        if let Some(profile) = profile {
            config = config.profile_name(profile);
        }
        let config = config.load().await;
        let role = AssumeRoleProvider::builder(role_arn).session_name(SESSION_NAME).configure(&config);
        SharedCredentialsProvider::new(role.build_from_provider(chain).await)
    }
}

impl ProvideCredentials for StandardChain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            self.provider.get_or_init(|| self.build()).await.provide_credentials().await
        })
    }
}

/// What AWS's own log calls us.
const SESSION_NAME: &str = "tidegate";
