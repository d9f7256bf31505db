package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"decenter/engine/api"
	"decenter/engine/config"
	"decenter/engine/identity"
	"decenter/shell"
)

// engineSays runs `decenter engine ARGS`, which must succeed, and gives stdout and stderr.
func engineSays(t *testing.T, args ...string) (string, string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := engineCommand(t.Context(), args, shell.Streams{Out: &out, Err: &errs}); code != api.ExitDone {
		t.Fatalf("%q: exit %d, %s", args, code, &errs)
	}
	return out.String(), errs.String()
}

// An owner admits what --fingerprint prints: it is the configured satellite's, and it is told when that is a new key.
func TestTheFingerprintIsThatOfTheConfiguredSatellite(t *testing.T) {
	dir := t.TempDir()
	cfg := config.Default("s3")
	cfg.Data = filepath.Join(dir, "data")
	text, err := cfg.Append()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "engine.toml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(configEnv, path)
	first, told := engineSays(t, "--fingerprint")
	if told != "decenter engine: a new key was made in "+cfg.Data+"\n" {
		t.Errorf("the first time: %q", told)
	}
	id, err := identity.LoadOrCreate(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	again, told := engineSays(t, "--fingerprint")
	if first != id.Fingerprint()+"\n" || again != first || told != "" {
		t.Errorf("%q, then %q and %q; the key is %s", first, again, told, id.Fingerprint())
	}
	// --config beats the environment.
	t.Setenv(configEnv, filepath.Join(dir, "nowhere"))
	if byFlag, _ := engineSays(t, "--fingerprint", "--config", path); byFlag != first {
		t.Errorf("by --config %q, want %q", byFlag, first)
	}
}

func TestWhatIsNotConfiguredIsSaid(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "engine.toml")
	cfg := config.Default("s3")
	cfg.Data = filepath.Join(dir, "data")
	for range 2 {
		var out, errs bytes.Buffer
		if err := printFingerprint(shell.Streams{Out: &out, Err: &errs}, path, cfg); err != nil {
			t.Fatal(err)
		}
		if strings.Count(out.String(), "\n") != 1 || !strings.HasPrefix(out.String(), "SHA256:") {
			t.Errorf("stdout is %q", &out)
		}
		if !strings.Contains(errs.String(), "no configuration at "+path) {
			t.Errorf("stderr is %q", &errs)
		}
	}
	// With --print this machine's own file is the one asked for, and it may be there.
	var errs bytes.Buffer
	tellMissing(&errs, path, "these are the defaults")
	if !strings.Contains(errs.String(), path+": these are the defaults") {
		t.Errorf("%q", &errs)
	}
}

func TestHelpOfTheEngineNamesItsEnvironment(t *testing.T) {
	for _, ask := range []string{"help", "-h"} {
		if _, told := engineSays(t, ask); !strings.Contains(told, configEnv) {
			t.Errorf("engine %s: %q", ask, told)
		}
	}
}
