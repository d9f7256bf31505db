package sshd

import (
	"errors"
	"testing"

	"golang.org/x/crypto/ssh"
)

// OpenSSH asks three times: advice and refusal alternate, and each is read once.
func TestAdviceIsGivenOnce(t *testing.T) {
	l, shown := &login{}, map[string]int{}
	refused := errors.New("refused")
	for range 3 {
		for _, text := range []string{keylessReads, "no signature\n"} {
			err := l.advise(text, refused)
			if banner, ok := errors.AsType[*ssh.BannerError](err); ok {
				shown[banner.Message]++
			}
			if !errors.Is(err, refused) {
				t.Errorf("%v is no refusal", err)
			}
		}
	}
	if shown[keylessReads] != 1 || shown["no signature\n"] != 1 {
		t.Errorf("shown: %v", shown)
	}
}
