package shell

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
	"decenter/shell/grammar"
)

// signs makes the constellation accept one signature alone.
func signs(c *apitest.Constellation, signature string) {
	c.SetVerifier(func(s api.Signed) error {
		if s.Signature != signature {
			return errors.New("another key made it")
		}
		return nil
	})
}

// On a terminal the line stands alone on its own, so that it can be selected, and the signature is asked for.
func TestAdmitShowsTheLineAndTakesTheSignature(t *testing.T) {
	key := apitest.Fingerprint("newcomer")
	for name, story := range map[string]struct {
		typed string
		code  int
	}{
		"signature":            {"H9L5yLFj\r", 0},
		"blanks around":        {"  H9L5yLFj  \r", 0},
		"a wrong paste before": {"decenter admit 1 in home\rH9!\rH9L5yLFj\r", 0},
		"three wrong ones":     {"a!\rb!\rc!\r", 2},
		"nothing":              {"\r", 2},
		"Ctrl-C":               {"H9\x03", 2},
		"another's":            {"AAAA\r", 4},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, c := world(t)
			signs(c, "H9L5yLFj")
			p := newPerson()
			code := run(ctx, func() int { return Run(ctx, c.As(apitest.Owner, "s1"), "admit "+key, p.streams, Options{}) })
			p.await(t, "and paste the signature: ")
			line := "decenter admit 1 in home as " + apitest.Owner + " satellite " + key + " at 2026-01-02T03:04:05Z"
			if !strings.Contains(p.String(), "\n"+line+"\n") {
				t.Errorf("the line is not alone on its own: %q", p.String())
			}
			p.types(t, story.typed)
			exits(t, code, story.code)
			trust, err := c.Trust(ctx)
			if err != nil || len(trust.Statements) == 1 != (story.code == 0) {
				t.Errorf("%d statements, %v, after %q", len(trust.Statements), err, p.String())
			}
		})
	}
}

func TestEjectAsksForTheSatellite(t *testing.T) {
	for typed, code := range map[string]int{"s3\r": 0, apitest.Fingerprint("s3") + "\r": 0, "s2\r": 2, "\r": 2, "\x04": 2} {
		ctx, c := world(t)
		p := newPerson()
		done := run(ctx, func() int { return Run(ctx, c.As(apitest.Owner, "s1"), "eject s3", p.streams, Options{}) })
		p.await(t, "Type its name")
		p.types(t, typed)
		if code == 0 {
			p.await(t, "paste the signature")
			p.types(t, "H9L5yLFj\r")
		}
		exits(t, done, code)
		sats, err := c.Satellites(ctx)
		if err != nil || (sats.Satellites[2].State == api.SatelliteLeft) != (code == 0) {
			t.Errorf("%q: s3 is %s, %v", typed, sats.Satellites[2].State, err)
		}
	}
}

// Nobody is asked to confirm what cannot be.
func TestEjectOfNoSatelliteAsksNothing(t *testing.T) {
	ctx, c := world(t)
	p := newPerson()
	exits(t, run(ctx, func() int { return Run(ctx, c.As(apitest.Owner, "s1"), "eject nosuch", p.streams, Options{}) }), 1)
	if got := p.String(); !strings.Contains(got, "error: no satellite nosuch") || strings.Contains(got, "Type") {
		t.Errorf("the person reads %q", got)
	}
	if _, err := NewLanguage(nil).Execute(ctx, c.As(apitest.Owner, "s1"), "eject nosuch"); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("in the console: %v", err)
	}
}

// A satellite of an ambiguous name is named by its fingerprint; one that nobody knows can be ejected all the same.
func TestEjectByFingerprint(t *testing.T) {
	ctx, c := world(t)
	key := apitest.Fingerprint("gone long ago")
	cmd, err := grammar.Parse("eject " + key + " confirm:" + key)
	if err != nil {
		t.Fatal(err)
	}
	p, err := propose(ctx, c.As(apitest.Owner, "s1"), cmd)
	if err != nil || !strings.Contains(p.Line, key) {
		t.Errorf("%+v, %v", p, err)
	}
}

// The console gets the line, and hands the signature in; nothing is done before.
func TestLanguageProposesAndDeclares(t *testing.T) {
	ctx, c := world(t)
	signs(c, "H9L5yLFj")
	l, svc := NewLanguage(nil), c.As(apitest.Owner, "s1")
	in, err := l.Parse("eject s3")
	if err != nil || in.Confirm != "s3" {
		t.Fatalf("%+v, %v", in, err)
	}
	if _, err := l.Execute(ctx, svc, "eject s3"); api.CodeOf(err) != api.CodeInvalid {
		t.Fatalf("unconfirmed: %v", err)
	}
	out, err := l.Execute(ctx, svc, "eject s3 confirm:s3")
	if err != nil || out.Proposal == nil || out.Text != "" {
		t.Fatalf("%+v, %v", out, err)
	}
	if trust, _ := c.Trust(ctx); len(trust.Statements) != 0 {
		t.Fatal("something was declared before it was signed")
	}
	if _, err := l.Declare(ctx, svc, api.Signed{Line: out.Proposal.Line, Signature: "AAAA"}); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("another's signature gave %v", err)
	}
	if _, err := l.Declare(ctx, svc, api.Signed{Line: out.Proposal.Line, Signature: out.Proposal.Line}); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("the line as its signature gave %v", err)
	}
	done, err := l.Declare(ctx, svc, api.Signed{Line: out.Proposal.Line, Signature: " H9L5\nyLFj\n"})
	if err != nil || !strings.Contains(done.Text, "in force, signed by "+apitest.Owner) {
		t.Errorf("%+v, %v", done, err)
	}
	for line, object := range map[string]string{"grant none " + apitest.Guest + " on:web-1": "web-1", "revoke every": "", "trust admit": "", "audit web-1": ""} {
		if in, err := l.Parse(line); err != nil || in.Object != object {
			t.Errorf("%s is about %q, %v", line, in.Object, err)
		}
	}
}

// Whoever asks all satellites hears of those that refuse, lest what is missing pass for what is not there.
func TestWhoRefusesIsNamedWithEveryAnswer(t *testing.T) {
	ctx, c := world(t)
	c.Refuse("s2", "the login is not known here")
	for _, line := range []string{"vm", "jobs", "satellites", "audit", "audit verify:yes"} {
		var out, errs bytes.Buffer
		if code := Run(ctx, c.As(apitest.Owner, "s1"), line, Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, Options{}); code != 0 {
			t.Errorf("%s: exit %d", line, code)
		}
		if said := errs.String(); !strings.Contains(said, "s2 refuses: the login is not known here") {
			t.Errorf("%s: stderr %q", line, said)
		}
	}
}
