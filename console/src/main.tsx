import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { finishProviderLogin, session, whoAmI } from "./api.ts";
import { useCell } from "./cell.ts";
import "./idle.ts";
import { go, path, query } from "./router.ts";
import { Shell } from "./shell.tsx";
import { SignIn, SignInAgain } from "./signin.tsx";
import { Button, Problem } from "./ui.tsx";

const theme = localStorage.getItem("theme");
if (theme === "light" || theme === "dark") document.documentElement.dataset["theme"] = theme;

function App() {
  const current = useCell(session);
  const place = useCell(path);
  if (place === "/callback") return <Callback />;
  if (current.is === "unknown") return <div class="loading" role="progressbar" aria-label="Loading" />;
  if (current.is === "out") return <SignIn />;
  return (
    <>
      <Shell key={current.who.principal} who={current.who} place={place} />
      {current.is === "ended" && <SignInAgain principal={current.who.principal} />}
    </>
  );
}

function Callback() {
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    finishProviderLogin(query()).then((back) => go(back, true), setError);
  }, []);
  if (!error) return <div class="loading" role="progressbar" aria-label="Signing in" />;
  return (
    <main class="gate"><div class="card"><div class="body stack">
      <h1>Not signed in</h1><Problem error={error} />
      <Button look="main" onClick={() => { session.value = { is: "out" }; go("/", true); }}>Back to sign-in</Button>
    </div></div></main>
  );
}

if (location.pathname !== "/callback") await whoAmI();
render(<App />, document.getElementById("root") as HTMLElement);
