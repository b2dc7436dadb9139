// SPDX-License-Identifier: Apache-2.0
// When the server wants a token: it is exchanged once for a cookie that scripts cannot read, and forgotten here.
import { useState } from "preact/hooks";
import { KeyRound } from "lucide-preact";
import { api, ApiError, link, wordsOf } from "~/api/client";
import { Button, Dialog, TextField } from "~/ui/basic";
import { words } from "~/words/en";

export function SignIn() {
  const [token, set] = useState("");
  const [wrong, setWrong] = useState("");
  const [busy, setBusy] = useState(false);
  async function send(e: Event) {
    e.preventDefault();
    if (!token) return setWrong(words.link.noToken);
    setBusy(true);
    try {
      await api.post("/session", { token });
      location.reload();
    } catch (err) {
      setWrong(err instanceof ApiError && err.status === 401 ? words.link.wrongToken : wordsOf(err));
    }
    setBusy(false);
  }
  return (
    <Dialog title={words.link.locked} open={link.value === "locked"} close={() => {}}>
      <form class="column" noValidate onSubmit={send}>
        <TextField
          id="token"
          label={words.link.token}
          help={words.link.tokenHelp}
          wrong={wrong}
          type="password"
          autocomplete="off"
          required
          value={token}
          set={set}
        />
        <Button look="primary" type="submit" icon={KeyRound} busy={busy}>
          {words.link.unlock}
        </Button>
      </form>
    </Dialog>
  );
}
