package grammar

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
)

func TestWhatLinesMean(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "",
		"  web  ":                            "web",
		"web server":                         "web server",
		`"web server"`:                       `"web server"`,
		`vm memory:>=2G`:                     "vm memory:>=2GiB",
		"memory:<1048576 cpu:2,4":            "memory:<1MiB cpu:2,4",
		"-state:Running,PAUSED":              "-state:running,paused",
		"mac:52-54-00-AB-CD-EF":              "mac:52:54:00:ab:cd:ef",
		"address:10.*":                       "address:10.*",
		`owner:"a b","c,d"`:                  `owner:"a b","c,d"`,
		"52:54:00:12:34:56":                  "52:54:00:12:34:56",
		`"create" web-1`:                     `"create" web-1`,
		`state:running create`:               `"create" state:running`,
		`state:running creat web`:            `"creat" web state:running`,
		"star":                               "star",
		"job state:done":                     "job state:done",
		"search":                             "search",
		"création":                           "création",
		"create web-1 from:tiny":             "create web-1 from:tiny",
		"create from:tiny web-1 cpu:2":       "create web-1 from:tiny cpu:2",
		"create web-1 from:tiny memory:512m": "create web-1 from:tiny memory:512MiB",
		"--json create w from:tiny --detach": "create w from:tiny --json --detach",
		"stop web-1 force:yes":               "stop web-1 force:yes",
		"watch 3F9A":                         "watch 3f9a",
		"console web-1 idle:2s":              "console web-1 idle:2000ms",
		"help exit":                          "help quit",
		"exit":                               "quit",
		"create --help":                      "create --help",
		"tree":                               "tree",
		"tree Priority s4 050":               "tree priority s4 50",
		"tree priority s4 DEFAULT":           "tree priority s4 default",
		"tree priority " + testKey:           "tree priority " + testKey,
		"free web":                           "free web",
		testKey:                              testKey,
		"admit " + testKey:                   "admit " + testKey,
		"eject s3 confirm:" + testKey:        "eject s3 confirm:" + testKey,
		"revoke EVERY":                       "revoke every",
		"grant Operator " + testAccount + " on:ALL as:" + testAccount: "grant operator " + testAccount + " on:all as:" + testAccount,
		"grant none " + testAccount + " on:array@s1":                  "grant none " + testAccount + " on:array@s1",
		`declare "` + testLine + ` " "H9L5 yLFj"`:                     `declare "` + testLine + `" H9L5yLFj`,
		"audit denied web -verdict:allow key:SHA256:* since:2H":       "audit denied web -verdict:allow key:SHA256:* since:2h",
		"audit since:2026-01-02 verify:yes":                           "audit since:2026-01-02T00:00:00Z verify:yes",
		"trust admit bc1q*":                                           "trust admit bc1q*",
		"delete web-1 confirm:web-1":                                  "delete web-1 confirm:web-1",
		"web\u00a0server\u3000x":                                      "web server x",
		`a "\\\"b"`:                                                   `a "\\\"b"`,
		"satellite sat state:live":                                    "satellite sat state:live",
		"stark state:running":                                         "stark state:running",
		"delete 0a1b2c3d-0000-4000-8000-0123456789ab confirm:web-1":   "delete 0a1b2c3d-0000-4000-8000-0123456789ab confirm:web-1",
	} {
		c, err := Parse(line)
		if err != nil {
			t.Errorf("%q: %v", line, err)
			continue
		}
		if got := c.String(); got != want {
			t.Errorf("%q means %q, want %q", line, got, want)
		}
	}
}

func TestErrorsTellWhereAndWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct {
		line   string
		column int
		says   string
		hint   string
	}{
		{"admit", 6, "admit lacks KEY", "admit KEY"},
		{"admit s3", 7, `"s3" is not a fingerprint`, "SHA256: and 43 characters"},
		{"admit SHA256:abc", 7, "is not a fingerprint", "here are 3"},
		{"admit " + testKey[len("SHA256:"):], 7, "is not a fingerprint", "begin it with SHA256:"},
		{"admit " + testKey[:len(testKey)-1] + "h", 7, "is not a fingerprint", "SHA256:"}, // bits beyond its end
		{"admit sha256:abc", 7, `admit has no key "sha256"`, "in capitals"},
		{"admit " + testKey + "," + testKey, 57, "cannot stand here", "blank"},
		{"eject S3", 7, `"S3" is not a satellite`, "name, or its fingerprint"},
		{"eject s3 confirm:s2", 18, "does not confirm", "same name"},
		{"grant king " + testAccount + " on:all", 7, `"king" is not a role`, "owner, operator, reader, tenant, none"},
		{"grant opertor " + testAccount + " on:all", 7, `is not a role`, `"operator"`},
		{"grant reader " + strings.ToUpper(testAccount) + " on:all", 14, "address", testAccount},
		{"grant reader bc1qxyz on:all", 14, "address", ""},
		{"grant reader " + testAccount, 56, "grant lacks on", "add on:OBJECT"},
		{"grant reader " + testAccount + " on:web_1", 60, "is not something to grant", "VM's name"},
		{"ungrant reader " + testAccount, 1, `no verb "ungrant"`, `"grant"`},
		{"revoke all", 8, "is not a fingerprint", "or every"},
		{"declare hello " + testSignature, 9, "not a statement", "between quotes"},
		{`declare "` + testLine + ` x" ` + testSignature, 9, "not a statement", ""},
		{`declare "` + testLine + `" "` + testLine + `"`, 109, "this is the line, not its signature", "wallet"},
		{`declare "` + testLine + `" a!b`, 109, "not a signature", "base64"},
		{"audit verdict:no", 15, `"no" is not a verdict`, "allow or deny"},
		{"audit since:yesterday", 13, "is not a span", "2h or 7d"},
		{"audit -since:2h", 7, "does not exclude", "hyphen"},
		{"audit acount:x", 7, `audit has no key "acount"`, `"account:"`},
		{"audit since:1h,2h", 16, "one value", ""},
		{"creat web-1 from:tiny", 1, `no verb "creat"`, `"create"`},
		{"craete web-1", 1, `no verb "craete"`, `"create"`},
		{"Delete web-1", 1, `no verb "Delete"`, `"delete"`},
		{"strat web-1", 1, `no verb "strat"`, `"start"`},
		{"foo web-1 stopped:yes", 11, `search has no key "stopped"`, "create has it"},
		{"web confirm:web", 5, `search has no key "confirm"`, "delete or eject has it"},
		{"web sate:running", 5, `no key "sate"`, `"state:"`},
		{"web state:runing", 11, `"runing" is not a state`, `"running"`},
		{"create web-1 form:tiny", 14, `create has no key "form"`, `"from:"`},
		{"create web-1", 13, "lacks from", "from:NAME"},
		{"create from:tiny", 17, "lacks NAME", "create NAME from:NAME"},
		{"create Web-1 from:tiny", 8, `"Web-1" is not a name`, `"web-1"`},
		{"create web-1 from:tiny from:tiny", 24, "twice", "leave one out"},
		{"create web-1 from:tiny,big", 24, "one value", "comma"},
		{"create web-1 -from:tiny", 14, "does not exclude", "hyphen"},
		{"create web-1 from:tiny cpu:>2", 24, "does not compare", "leave >"},
		{"create web-1 from:tiny cpu:0", 28, "out of range", "1 to 1024"},
		{"create web-1 from:tiny memory:1MiB", 31, "out of range", "64MiB to 16TiB"},
		{"create web-1 from:tiny memory:2GB", 31, `"2GB" is not a size`, "GiB"},
		{"create web-1 from:tiny stopped:maybe", 32, "not yes or no", "yes or no"},
		{"create web-1 web-2 from:tiny", 14, "one word", "create NAME"},
		{"jobs 3f9a", 6, "no word", "jobs"},
		{"jobs --detach", 6, "does not start a job", "leave"},
		{"watch xyz", 7, "not a job's id", "four digits"},
		{"delete web-1 confirm:web-2", 22, "does not confirm", "same name"},
		{"state:>running", 1, "does not compare", "numbers"},
		{"cpu:>2,4", 8, "one value", "leave > out"},
		{"cpu:2,>4", 7, "right after the colon", "quote"},
		{"cpu:", 5, "lacks a value", "whole number"},
		{"cpu:2,", 7, "lacks a value", "whole number"},
		{`name:""`, 6, "lacks a value", "name"},
		{"cpu:18446744073709551616", 5, "not a number", "whole number"},
		{"memory:99999999TiB", 8, "not a size", "MiB"},
		{"-web", 1, "hyphen", "-key:value"},
		{":x", 1, "key is missing", "key:value"},
		{"--jsno web", 1, `no flag "--jsno"`, `"--json"`},
		{"--x", 1, `no flag "--x"`, "--json, --detach"},
		{`web "open`, 5, "not closed", `"`},
		{`name:"open`, 6, "not closed", `"`},
		{`a"b"`, 2, "inside a word", "blank"},
		{`"a"b`, 4, "inside a word", "blank"},
		{`name:"a"b`, 9, "inside a value", "quote the whole"},
		{"fe80::1", 1, `no key "fe80"`, "address:"},
		{"http://x", 1, `no key "http"`, "quote"},
		{"größe:2", 1, `no key "größe"`, "quote"},
		{"ключ жук sate:live", 10, `no key "sate"`, "state"},
		{"日本 state:x", 10, "not a state", "use one of"},
		{"a\x1b[31m", 2, "control character", "take it out"},
		{"a\xff", 2, "not UTF-8", "character set"},
		{strings.Repeat("ä", MaxLine+1), MaxLine + 1, "4097 characters", "4096"},
	} {
		_, err := Parse(c.line)
		var e *api.Error
		if !errors.As(err, &e) {
			t.Errorf("%q: got %v, want an *api.Error", c.line, err)
			continue
		}
		if e.Code != api.CodeInvalid || e.Column != c.column || !strings.Contains(e.Message, c.says) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%q: got column %d, %q, hint %q; want column %d, %q, hint %q", c.line, e.Column, e.Message, e.Hint, c.column, c.says, c.hint)
		}
	}
}

// The control of the rule about misspelt verbs: the same line with its first word quoted, which the rule does
// not look at, is a search.
func TestOnlyTheRuleStopsMisspeltVerbs(t *testing.T) {
	if _, err := Parse("creat web-1 from:tiny"); err == nil {
		t.Error("a misspelt verb became a search")
	}
	if c, err := Parse(`"creat" web-1 from:tiny`); err != nil || c.Verb.Name != "" || len(c.Query().Words) != 2 {
		t.Errorf("the quoted word became %+v, %v", c, err)
	}
}

func TestRequests(t *testing.T) {
	c, err := Parse("create web-1 from:tiny cpu:2 memory:2GiB disk:10G satellite:s2 stopped:yes detach:yes")
	if err != nil {
		t.Fatal(err)
	}
	want := api.CreateRequest{Name: "web-1", From: "tiny", CPU: 2, Memory: 2 << 30, Disk: 10 << 30, Satellite: "s2", Stopped: true}
	if got := c.Create(); got != want || !c.Detach() {
		t.Errorf("create asks %+v, detach %v", got, c.Detach())
	}
	c, err = Parse(`web "a b" -memory:>=1K state:running,paused`)
	if err != nil {
		t.Fatal(err)
	}
	q := api.Query{Words: []string{"web", "a b"}, Filters: []api.Filter{
		{Key: "memory", Op: api.OpGE, Values: []string{"1024"}, Not: true},
		{Key: "state", Values: []string{"running", "paused"}},
	}}
	if got := c.Query(); !reflect.DeepEqual(got, q) {
		t.Errorf("the search asks %+v, want %+v", got, q)
	}
	c, _ = Parse("stop web-1 force:yes")
	if got := c.Control(); got != (api.ControlRequest{VM: "web-1", Act: api.ActStop, Force: true}) {
		t.Errorf("stop asks %+v", got)
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]uint64{"0": 0, "1": 1, "1K": 1024, "2GiB": 2 << 30, "2g": 2 << 30, "512MiB": 512 << 20, "1TiB": 1 << 40} {
		if got, ok := ParseSize(s); !ok || got != want {
			t.Errorf("ParseSize(%q) = %d, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "G", "2GB", "-1", "+1", "1.5G", "2 G", "2GG", "0x10", "99999999TiB"} {
		if got, ok := ParseSize(s); ok {
			t.Errorf("ParseSize(%q) = %d, want a refusal", s, got)
		}
	}
	for _, n := range []uint64{0, 1, 1023, 1024, 1536, 1 << 20, 192 << 20, 1<<40 + 1, 1<<64 - 1} {
		if got, ok := ParseSize(FormatSize(n)); !ok || got != n {
			t.Errorf("%d was written as %s and read as %d", n, FormatSize(n), got)
		}
	}
}

const (
	testKey       = exampleKey
	testAccount   = exampleAccount
	testLine      = "decenter revoke 1 as " + testAccount + " key every at 2026-01-02T03:04:05Z"
	testSignature = "H9L5yLFjti0QTHhPyFrZCT1V"
)

// What the verbs of trust ask.
func TestWhatTrustAsks(t *testing.T) {
	for line, want := range map[string]api.ProposeRequest{
		"admit " + testKey:                          {Kind: api.StatementAdmit, Key: testKey},
		"eject s3 as:" + testAccount:                {Kind: api.StatementEject, Key: "s3", Account: testAccount},
		"revoke every":                              {Kind: api.StatementRevoke},
		"grant tenant " + testAccount + " on:all":   {Kind: api.StatementGrant, Role: api.RoleTenant, Grantee: testAccount, Object: "all"},
		"grant reader " + testAccount + " on:web-1": {Kind: api.StatementGrant, Role: api.RoleReader, Grantee: testAccount, Object: "web-1"},
	} {
		c, err := Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Propose(); got != want {
			t.Errorf("%s asks %+v, want %+v", line, got, want)
		}
	}
	now := time.Date(2026, 1, 9, 12, 0, 0, 0, time.UTC)
	for since, want := range map[string]string{"90s": "2026-01-09T11:58:30Z", "2h": "2026-01-09T10:00:00Z", "1w": "2026-01-02T12:00:00Z",
		"2026-01-02": "2026-01-02T00:00:00Z", "2026-01-02T05:00:00+02:00": "2026-01-02T03:00:00Z", `"2026-01-02 15:04"`: "2026-01-02T15:04:00Z"} {
		c, err := Parse("audit web -action:read,login since:" + since + " verify:yes")
		if err != nil {
			t.Fatal(err)
		}
		ask := api.AuditRequest{Verify: true, Query: api.Query{Words: []string{"web"}, Filters: []api.Filter{
			{Key: api.KeyAction, Not: true, Values: []string{"read", "login"}}, {Key: api.KeySince, Values: []string{want}}}}}
		if got := c.Audit(now); !reflect.DeepEqual(got, ask) {
			t.Errorf("since:%s asks %+v, want %+v", since, got, ask)
		}
	}
}

func TestSignedByOtherWays(t *testing.T) {
	s, err := CheckSigned(api.Signed{Line: testLine + "\r", Signature: " H9L5\n yLFj \n"})
	if err != nil || s != (api.Signed{Line: testLine, Signature: "H9L5yLFj"}) {
		t.Errorf("%+v, %v", s, err)
	}
	for _, s := range []api.Signed{{}, {Line: testLine}, {Line: "x", Signature: testSignature}, {Line: testLine, Signature: strings.Repeat("A", 1023)}} {
		if _, err := CheckSigned(s); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%+v gives %v", s, err)
		}
	}
}

var seeds = []string{
	"SHA256:", "SHA256:a/+b x", `"SHA256:a b"`, "-SHA256:x", "admit " + testKey, "audit since:2h -via:ssh x", "grant none " + testAccount + " on:all",
	`declare "` + testLine + `" ` + testSignature,
	"", "web", `"create" web`, "create web-1 from:tiny cpu:2 memory:2GiB", "vm -memory:>=2G state:running,paused", `owner:"a b","c\"d\\"`,
	"state:live create x", "--json help create", "delete web-1 confirm:web-1", "watch 3f9a", `a "" b`, "console x idle:5s", "52:54:00:12:34:56",
	"creat web-1 from:tiny", `"open`, "mac:*:ab", "a,b c", `\ \\ "\x"`, "x\u00a0y", `-- - :`,
}

// What is parsed writes itself so that it parses to the same again; what is refused says where.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := Parse(line)
		if err != nil {
			var e *api.Error
			if !errors.As(err, &e) || e.Column < 1 || e.Column > len([]rune(line))+1 || e.Message == "" || e.Hint == "" {
				t.Fatalf("%q: the error %#v lacks something", line, err)
			}
			return
		}
		s := c.String()
		again, err := Parse(s)
		if len([]rune(s)) > MaxLine {
			return
		}
		if err != nil {
			t.Fatalf("%q was written as %q: %v", line, s, err)
		}
		if again.Verb != c.Verb || !reflect.DeepEqual(again.Query(), c.Query()) || !reflect.DeepEqual(again.Flags, c.Flags) {
			t.Fatalf("%q became %q, which means another thing", line, s)
		}
		if again.String() != s {
			t.Fatalf("%q is written as %q and then as %q", line, s, again.String())
		}
	})
}

// Each argument becomes one term, and what needs no quotes gets none.
func FuzzQuote(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "name:a b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if checkText(a+b) != nil {
			return
		}
		line := Quote([]string{a, b})
		terms, err := scan(line, false)
		if checkText(line) == nil && (err != nil || len(terms) != 2) {
			t.Fatalf("%q and %q became %s: %d terms, %v", a, b, line, len(terms), err)
		}
	})
}

func TestQuote(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"create", "web-1", "from:tiny", "--json"}, "create web-1 from:tiny --json"},
		{[]string{"web server"}, `"web server"`},
		{[]string{"owner:a b", "-owner:c d"}, `owner:"a b" -owner:"c d"`},
		{[]string{`"create"`}, `"create"`},
		{[]string{`owner:"a b"`}, `owner:"a b"`},
		{[]string{`say "hi"`}, `"say \"hi\""`},
		{[]string{"memory:>=2GiB"}, "memory:>=2GiB"},
		{[]string{""}, `""`},
	} {
		if got := Quote(c.args); got != c.want {
			t.Errorf("Quote(%q) = %s, want %s", c.args, got, c.want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("create web-1 from:tiny cpu:2 memory:2GiB satellite:s2"); err != nil {
			b.Fatal(err)
		}
	}
}
