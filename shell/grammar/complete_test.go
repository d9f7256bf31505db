package grammar

import (
	"strings"
	"testing"

	"decenter/engine/api"
)

func known(kind api.Kind) []string {
	names := map[api.Kind][]string{
		api.KindVM: {"web-2", "web-1", "db"}, api.KindSpacesuit: {"tiny", "debian12"}, api.KindSatellite: {"s1", "s2"}, api.KindJob: {"3f9a0b1c"},
	}
	if kind == "*" {
		return append(names[api.KindVM], names[api.KindSpacesuit]...)
	}
	return names[kind]
}

func TestCompletion(t *testing.T) {
	for _, c := range []struct{ line, want string }{ // | is the cursor
		{"cre|", "create"},
		{"st|", "start stop state:"},
		{"w|", "watch whoami web-1 web-2"},
		{`"cre|`, ""},
		{`"we|`, "web-1 web-2"},
		{"create web-3 |", "from: cpu: memory: disk: satellite: stopped: detach:"},
		{"create web-3 from:|", "debian12 tiny"},
		{"create web-3 from:t|", "tiny"},
		{"create web-3 from:tiny c|", "cpu:"},
		{"create web-3 from:tiny f|", ""},
		{"create web-3 from:tiny satellite:s|", "s1 s2"},
		{"create web-3 from:tiny --|", "--json --detach --help"},
		{"--json cre|", "create"},
		{"jobs --|", "--json --help"},
		{"start |", "db web-1 web-2 detach:"},
		{"start w|", "web-1 web-2"},
		{"start web-1 w|", ""},
		{"stop web-1 force:|", "yes no"},
		{"delete web-1 confirm:web-|", "web-1 web-2"},
		{"watch |", "3f9a0b1c"},
		{"help cr|", "create"},
		{"vm state:ru|", "running"},
		{"vm state:running,pa|", "paused"},
		{"vm -st|", "-state:"},
		{"vm -state:ru|", "running"},
		{"sat|", "satellites satellite satellite:"},
		{"creat| web", "create"},
		{"create web-3 fr| cpu:2", "from:"},
		{"gra|", "grant"},
		{"grant op|", "operator"},
		{"grant none bc1q |", "on: as:"},
		{"grant none bc1q on:|", "all array db web-1 web-2"},
		{"eject |", "s1 s2 confirm: as:"},
		{"revoke e|", "every"},
		{"revoke SHA256:abc|", ""},
		{"tree |", "priority"},
		{"tree priority |", "s1 s2"},
		{"tree priority s|", "s1 s2"},
		{"tree priority s1 |", "default"},
		{"tree priority s1 50 |", ""},
		{"audit verdict:|", "allow deny"},
		{"audit a b -verdict:allow vi|", "via:"},
		{"audit -sin|", ""},
		{`a"b|`, ""},
		{"a\x1b|", ""},
	} {
		line, after, _ := strings.Cut(c.line, "|")
		var got []string
		for _, s := range Complete(line+after, len(line), known) {
			got = append(got, s.Text)
			if !strings.HasPrefix(s.Text, line[s.From:]) && !strings.HasPrefix(line[s.From:], `"`) {
				t.Errorf("%s: %q does not begin as typed (%q)", c.line, s.Text, line[s.From:])
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s gives %q, want %q", c.line, got, c.want)
		}
	}
}

func TestCompletionIsBounded(t *testing.T) {
	many := func(api.Kind) []string {
		names := make([]string, 10_000)
		for i := range names {
			names[i] = "web-" + strings.Repeat("x", i%40)
		}
		return names
	}
	if n := len(Complete("start w", 7, many)); n != MaxCompletions {
		t.Errorf("%d completions, want %d", n, MaxCompletions)
	}
	for _, cursor := range []int{-1, 100} {
		Complete("cre", cursor, nil)
	}
}

// At no cursor of any line does completion fail, and what it gives can be put in.
func FuzzComplete(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, len(s)/2)
	}
	f.Fuzz(func(t *testing.T, line string, cursor int) {
		for _, c := range Complete(line, cursor, known) {
			if c.From < 0 || c.From > max(cursor, 0) || c.From > len(line) {
				t.Fatalf("%q at %d: replaces from %d", line, cursor, c.From)
			}
		}
	})
}
