package sshd

import (
	"encoding/binary"
	"errors"
)

// wired is an attack with packets that no library would send. say gives what is sent in place of the right answer. The
// control is the same client with the right answer.
func wired(name string, say func(signature string) []byte) attack {
	return attack{
		name:    "packets: " + name,
		try:     func(s *scene) string { return s.onWire(say) },
		control: func(s *scene) string { return s.onWire(rightAnswer) },
	}
}

func rightAnswer(signature string) []byte { return answers(1, str(signature)) }

func answers(count uint32, rest []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{msgInfoResponse}, count), rest...)
}

// onWire logs in up to the challenge, of which the victim itself makes the right signature, and says something. It gives
// the victim's account where that opens a session.
func (s *scene) onWire(say func(signature string) []byte) string {
	err := func() error {
		w, err := dialWire(s.w.addr)
		if err != nil {
			return err
		}
		defer w.conn.Close()
		user := s.victim.account.String()
		if err := errors.Join(w.begin(), w.offer(user, s.victim.signer)); err != nil {
			return err
		}
		line, err := w.question(user)
		if err != nil {
			return err
		}
		signature, err := s.victim.secret.Sign(s.victim.account, line)
		if err != nil {
			return err
		}
		if err := w.write(say(signature)); err != nil {
			return err
		}
		return w.open()
	}()
	if err != nil {
		return ""
	}
	return s.victim.account.String()
}

// open opens a session's channel, with the login's success or without.
func (w *wire) open() error {
	b := append([]byte{msgChannelOpen}, str("session")...)
	b = append(b, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x80, 0)
	if err := w.write(b); err != nil {
		return err
	}
	p, err := w.await(msgChannelConfirm, msgAuthFailure)
	if err == nil && p[0] != msgChannelConfirm {
		err = errors.New("not logged in")
	}
	return err
}

// early is an attack that skips the login's steps from some point on.
func early(name string, skip func(s *scene, w *wire) error) attack {
	return attack{
		name: "packets: " + name,
		try: func(s *scene) string {
			w, err := dialWire(s.w.addr)
			if err != nil {
				return ""
			}
			defer w.conn.Close()
			if err := skip(s, w); err != nil {
				return ""
			}
			if err := w.open(); err != nil {
				return ""
			}
			return s.victim.account.String()
		},
		control: func(s *scene) string { return s.onWire(rightAnswer) },
	}
}

func wireAttacks() []attack {
	long := func(n uint32, signature string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, n), signature...)
	}
	return []attack{
		wired("no answer", func(string) []byte { return answers(0, nil) }),
		wired("two answers, the right one first", func(s string) []byte { return answers(2, str(s, s)) }),
		wired("one answer counted, two sent", func(s string) []byte { return answers(1, str(s, s)) }),
		wired("two counted, one sent", func(s string) []byte { return answers(2, str(s)) }),
		wired("four thousand million answers", func(s string) []byte { return answers(1<<32-1, str(s)) }),
		wired("an answer longer than its packet", func(s string) []byte { return answers(1, long(1<<32-1, s)) }),
		wired("an answer shorter than its signature", func(s string) []byte { return answers(1, long(20, s)) }),
		wired("an answer without its count", func(s string) []byte { return append([]byte{msgInfoResponse}, s...) }),
		wired("an answer with a NUL behind", func(s string) []byte { return answers(1, str(s+"\x00")) }),
		wired("two signatures in one answer", func(s string) []byte { return answers(1, str(s+"\n"+s)) }),
		wired("an empty answer packet", func(string) []byte { return []byte{msgInfoResponse} }),
		wired("the client's own success", func(string) []byte { return []byte{msgAuthSuccess} }),
		early("a session before anything", func(*scene, *wire) error { return nil }),
		early("a session before the login", func(_ *scene, w *wire) error { return w.begin() }),
		early("a session after the key alone", func(s *scene, w *wire) error {
			return errors.Join(w.begin(), w.offer(s.victim.account.String(), s.attacker.signer))
		}),
		early("a session in place of the answer", func(s *scene, w *wire) error {
			user := s.victim.account.String()
			if err := errors.Join(w.begin(), w.offer(user, s.attacker.signer)); err != nil {
				return err
			}
			_, err := w.question(user)
			return err
		}),
		early("the connection's service without authentication", func(_ *scene, w *wire) error {
			return w.write(append([]byte{msgServiceRequest}, str("ssh-connection")...))
		}),
		early("an answer that nobody asked for", func(s *scene, w *wire) error {
			return errors.Join(w.begin(), w.offer(s.victim.account.String(), s.attacker.signer), w.write(rightAnswer("x")))
		}),
	}
}
