package complete

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"decenter/engine/api"
)

func TestAnswer(t *testing.T) {
	names := func(api.Kind) []string { return []string{"tiny"} }
	own := []Word{{Text: "engine", Hint: "be a satellite"}, {Text: "key", More: []Word{
		{Text: "new", Hint: "make one", More: []Word{{Text: "--out"}, {Text: "--json"}}}, {Text: "sign"}, {Text: "--dir"}}}}
	for left, want := range map[string]string{
		"decenter":                       "",
		"decenter en":                    "engine\tbe a satellite\n",
		"  decenter  watc":               "watch\tfollow a job until it ends\n",
		"decenter create a from:t":       "from:tiny\tspacesuit\n",
		"decenter vm -state:running,pau": "-state:running,paused\tits state\n",
		"decenter engine --":             "",
		"decenter ke":                    "key\t\n",
		"decenter key ":                  "new\tmake one\nsign\t\n--dir\t\n",
		"decenter key n":                 "new\tmake one\n",
		"decenter key new ":              "--out\t\n--json\t\n--dir\t\n",
		"decenter key new --out x --":    "--json\t\n--dir\t\n",
		"decenter key new x":             "",
		"decenter key sign -":            "--dir\t\n",
		"decenter \x1b":                  "",
	} {
		var b strings.Builder
		if err := Answer(&b, left, names, own); err != nil || b.String() != want {
			t.Errorf("%q: got %q, %v; want %q", left, b.String(), err, want)
		}
	}
}

// Each shell that is here accepts its script.
func TestScriptsParse(t *testing.T) {
	for _, sh := range Shells() {
		t.Run(sh, func(t *testing.T) {
			if _, ok := Script(sh); !ok {
				t.Fatal("there is no script")
			}
			if _, err := exec.LookPath(sh); err != nil {
				t.Skipf("%s is not installed here", sh)
			}
			if out, err := exec.Command(sh, "-n", filepath.Join(".", "decenter."+sh)).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	if _, ok := Script("../complete.go"); ok {
		t.Error("a path is taken for a shell")
	}
}
