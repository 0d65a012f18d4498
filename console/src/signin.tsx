import { useState } from "preact/hooks";
import { beginProviderLogin, meta, session, signIn } from "./api.ts";
import { Brand, Button, Dialog, Field, Problem } from "./ui.tsx";

function Form({ principal }: { principal?: string }) {
  const [name, setName] = useState(principal ?? "");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const attempt = async (way: () => Promise<void>) => {
    setBusy(true);
    setError(undefined);
    await way().catch(setError);
    setBusy(false);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void attempt(() => signIn(name.trim(), password));
  };
  return (
    <>
      <form onSubmit={submit}>
        <Field label="Name">
          <input class="input" name="username" autocomplete="username" autocapitalize="none" spellcheck={false} required
            autofocus={!principal} readOnly={!!principal} value={name} onInput={(event) => setName(event.currentTarget.value)} />
        </Field>
        <Field label="Password">
          <input class="input" name="password" type="password" autocomplete="current-password" required maxLength={512}
            autofocus={!!principal} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />
        </Field>
        <Problem error={error} />
        <Button look="main" type="submit" disabled={busy}>Sign in</Button>
      </form>
      {meta("identity-provider") === "yes" && !principal && (
        <Button disabled={busy} onClick={() => void attempt(beginProviderLogin)}>Sign in with your organisation</Button>
      )}
    </>
  );
}

export function SignIn() {
  return (
    <main class="gate">
      <div class="card fade"><div class="body stack wide">
        <div class="row"><span class="brand" style={{ padding: 0 }}><Brand /></span><h1>Tidegate</h1></div>
        <p class="soft">Use the name and password that you log in to databases with.</p>
        <Form />
      </div></div>
    </main>
  );
}

/** In place, over whatever was being done: nothing of it is lost. */
export function SignInAgain({ principal }: { principal: string }) {
  return (
    <Dialog title="Your session has ended">
      <p class="soft">Sign in again to go on where you were. What you wrote is still there.</p>
      <Form principal={principal} />
      <Button look="quiet" onClick={() => (session.value = { is: "out" })}>Sign in as somebody else</Button>
    </Dialog>
  );
}
