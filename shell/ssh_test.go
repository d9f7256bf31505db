package shell

import (
	"bytes"
	"strings"
	"testing"

	"decenter/engine/api"
	"decenter/shell/sshd"
)

// ssh joins its arguments with blanks; the line is read as it came.
func TestCommandOverSSH(t *testing.T) {
	ctx, c := world(t)
	c.AddVM(api.VM{Name: "web-1"})
	for _, story := range []struct {
		raw  string
		code int
		out  string
		err  string
	}{
		{`vm name:"web-1" --json`, 0, `{"kind":"vm","name":"web-1"`, ""},
		{"delete web-1", 2, "", "add confirm:web-1"},
		{"pause web-1 detach:yes", 8, "", "job "},
		{"creat web-1 from:tiny", 2, "", "column 1"},
	} {
		var out, errs bytes.Buffer
		code := SSH(ctx, sshd.Call{Service: c.As("local", "s2"), Raw: story.raw, In: strings.NewReader(""), Out: &out, Err: &errs, Env: []string{"TERM=xterm"}})
		if code != story.code || !strings.Contains(out.String(), story.out) || !strings.Contains(errs.String(), story.err) || strings.Contains(errs.String(), "\x1b") {
			t.Errorf("%s: exit code %d, out %q, err %q", story.raw, code, out.String(), errs.String())
		}
	}
}
