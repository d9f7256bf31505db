package shell

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/creack/pty"

	"decenter/engine/api/apitest"
	"decenter/shell/complete"
)

// onPTY starts a command on a terminal of its own and shows what it writes on the screen.
func onPTY(t *testing.T, cmd *exec.Cmd) (io.Writer, *screen) {
	t.Helper()
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	s, done := &screen{}, make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(s, tty) // EIO once the process is gone
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		<-done
		_ = tty.Close()
	})
	return tty, s
}

// asDecenter gives a folder with the program `decenter`, which is this test's binary.
func asDecenter(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := "#!/bin/sh\n" + asProgram + "=1 exec '" + self + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "decenter"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func environment(dir string) []string {
	return append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "TERM=xterm", "HOME="+dir, "LC_ALL=C.UTF-8", "HISTFILE=")
}

// A real terminal: its keyboard becomes raw for the guest and is itself again afterwards.
func TestProgramOnATerminal(t *testing.T) {
	dir := asDecenter(t)
	cmd := exec.Command(filepath.Join(dir, "decenter"), "--plain")
	cmd.Env = environment(dir)
	tty, s := onPTY(t, cmd)
	say := func(text string) { types(t, tty, text) }
	s.await(t, prompt)
	say("console web-1\n")
	s.await(t, "leaves it")
	say("hostname\r")
	s.await(t, "web-1\r\n"+apitest.Prompt)
	say("\x1d.")
	s.await(t, "left the serial console")
	say("delete web-2\n")
	s.await(t, "Type its name")
	say("web-2\n")
	s.await(t, "delete web-2 on s1: done")
	say("quit\n")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v; the screen has %q", err, s.String())
	}
}

// completion is a line before and after Tab.
type completion struct{ typed, becomes string }

// typeToShell types lines to a shell and gives each up with Ctrl-C.
func typeToShell(t *testing.T, dir string, shell []string, setUp string, stories []completion) {
	t.Helper()
	if _, err := exec.LookPath(shell[0]); err != nil {
		t.Skipf("%s is not installed here", shell[0])
	}
	cmd := exec.Command(shell[0], shell[1:]...)
	cmd.Dir, cmd.Env = dir, environment(dir)
	tty, s := onPTY(t, cmd)
	types(t, tty, setUp)
	s.await(t, "ready> ")
	for _, story := range stories {
		types(t, tty, story.typed+"\t")
		s.await(t, story.becomes)
		giveUp(t, tty, s)
	}
}

// giveUp types Ctrl-C until there is a new prompt: a shell that still completes swallows it. What is typed before the
// prompt would be lost.
func giveUp(t *testing.T, tty io.Writer, s *screen) {
	t.Helper()
	prompts := func() int { return strings.Count(ansi.Strip(s.String()), "ready> ") }
	before := prompts()
	for try := 0; try < 1000 && prompts() == before; try++ {
		if try%100 == 0 {
			types(t, tty, "\x03")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for seen := -1; seen != prompts(); { // a Ctrl-C too many brings one more
		seen = prompts()
		time.Sleep(100 * time.Millisecond)
	}
}

// Each shell that is here completes real lines with the script that the program prints.
func TestShellsComplete(t *testing.T) {
	stories := []completion{
		{"decenter cre", "decenter create "},
		{"decenter create web-9 fr", "decenter create web-9 from:"},
		{"decenter create web-9 from:ti", "decenter create web-9 from:tiny"},
		{"decenter vm state:running,pa", "decenter vm state:running,paused"},
		{"decenter start web-1 --de", "decenter start web-1 --detach"},
		{"decenter eng", "decenter engine"},
	}
	dir := asDecenter(t)
	for _, sh := range complete.Shells() {
		script, _ := complete.Script(sh)
		if err := os.WriteFile(filepath.Join(dir, "script."+sh), []byte(script), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("bash", func(t *testing.T) {
		typeToShell(t, dir, []string{"bash", "--norc", "--noprofile", "-i"},
			"bind 'set enable-bracketed-paste off'; PS1='ready''> '; . ./script.bash\n", stories)
	})
	t.Run("zsh", func(t *testing.T) {
		typeToShell(t, dir, []string{"zsh", "-f", "-i"},
			"autoload -U compinit; compinit -D; . ./script.zsh; unset zle_bracketed_paste; PS1='ready''> '\n", stories)
	})
	t.Run("fish", func(t *testing.T) {
		if _, err := exec.LookPath("fish"); err != nil {
			t.Skip("fish is not installed here")
		}
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		for _, story := range stories {
			cmd := exec.CommandContext(ctx, "fish", "--no-config", "-c", "source script.fish; complete -C '"+story.typed+"'")
			cmd.Dir, cmd.Env = dir, environment(dir)
			out, err := cmd.CombinedOutput()
			want := story.becomes[strings.LastIndex(strings.TrimRight(story.becomes, " "), " ")+1:]
			if err != nil || !strings.HasPrefix(string(out), strings.TrimRight(want, " ")) {
				t.Errorf("%s gives %q, %v; want %s", story.typed, out, err, want)
			}
		}
	})
}
