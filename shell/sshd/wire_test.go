package sshd

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// wire is an SSH client that says what it is told to, byte by byte: RFC 4253 with curve25519-sha256 (RFC 8731), aes128-ctr
// and hmac-sha2-256. It does not check the host's signature; it is there to attack.
type wire struct {
	conn     net.Conn
	in       *bufio.Reader
	session  []byte // the exchange's hash
	enc, dec cipher.Stream
	macs     [2][]byte // of what is sent, of what comes
	seq      [2]uint32
}

// Message numbers: RFC 4253, 12; RFC 4252, 6; RFC 4256, 5; RFC 4254, 9.
const (
	msgDisconnect, msgServiceRequest, msgServiceAccept = 1, 5, 6
	msgKexInit, msgNewKeys, msgKexECDH                 = 20, 21, 30
	msgAuth, msgAuthFailure, msgAuthSuccess            = 50, 51, 52
	msgInfoRequest, msgInfoResponse                    = 60, 61
	msgChannelOpen, msgChannelConfirm                  = 90, 91
)

func str(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

// dialWire connects and exchanges keys.
func dialWire(addr string) (*wire, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, in: bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if err := w.exchange(); err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

func (w *wire) exchange() error {
	const own = "SSH-2.0-hostile"
	if _, err := io.WriteString(w.conn, own+"\r\n"); err != nil {
		return err
	}
	theirs, err := w.in.ReadString('\n')
	if err != nil {
		return err
	}
	lists := str("curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", "")
	init := append(append(append([]byte{msgKexInit}, make([]byte, 16)...), lists...), 0, 0, 0, 0, 0)
	secret, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	public := string(secret.PublicKey().Bytes())
	theirInit, err := w.read()
	if err != nil {
		return err
	}
	if err := errors.Join(w.write(init), w.write(append([]byte{msgKexECDH}, str(public)...))); err != nil {
		return err
	}
	reply, err := w.read()
	if err != nil {
		return err
	}
	var body struct{ Host, Public, Signature string }
	if err := ssh.Unmarshal(reply[1:], &body); err != nil {
		return err
	}
	point, err := ecdh.X25519().NewPublicKey([]byte(body.Public))
	if err != nil {
		return err
	}
	shared, err := secret.ECDH(point)
	if err != nil {
		return err
	}
	k := ssh.Marshal(struct{ K *big.Int }{new(big.Int).SetBytes(shared)})
	hash := sha256.Sum256(append(str(own, strings.TrimRight(theirs, "\r\n"), string(init), string(theirInit), body.Host, public, body.Public), k...))
	if err := w.write([]byte{msgNewKeys}); err != nil {
		return err
	}
	if _, err := w.read(); err != nil {
		return err
	}
	return w.encrypt(k, hash[:])
}

// encrypt derives the keys: RFC 4253, 7.2.
func (w *wire) encrypt(k, hash []byte) error {
	derive := func(letter byte) []byte {
		sum := sha256.Sum256(append(append(append(append([]byte{}, k...), hash...), letter), hash...))
		return sum[:]
	}
	stream := func(iv, key byte) (cipher.Stream, error) {
		block, err := aes.NewCipher(derive(key)[:16])
		if err != nil {
			return nil, err
		}
		return cipher.NewCTR(block, derive(iv)[:16]), nil
	}
	var err, err2 error
	w.session = hash
	w.enc, err = stream('A', 'C')
	w.dec, err2 = stream('B', 'D')
	w.macs = [2][]byte{derive('E'), derive('F')}
	return errors.Join(err, err2)
}

func (w *wire) mac(way int, packet []byte) []byte {
	h := hmac.New(sha256.New, w.macs[way])
	h.Write(binary.BigEndian.AppendUint32(nil, w.seq[way]))
	h.Write(packet)
	return h.Sum(nil)
}

func (w *wire) write(payload []byte) error {
	pad := 16 - (5+len(payload))%16
	if pad < 4 {
		pad += 16
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+pad))
	b = append(append(append(b, byte(pad)), payload...), make([]byte, pad)...)
	var mac []byte
	if w.enc != nil {
		mac = w.mac(0, b)
		w.enc.XORKeyStream(b, b)
	}
	w.seq[0]++
	_, err := w.conn.Write(append(b, mac...))
	return err
}

func (w *wire) read() ([]byte, error) {
	b := make([]byte, 16)
	if w.dec == nil {
		b = b[:5]
	}
	if _, err := io.ReadFull(w.in, b); err != nil {
		return nil, err
	}
	if w.dec != nil {
		w.dec.XORKeyStream(b, b)
	}
	n := int(binary.BigEndian.Uint32(b)) + 4
	if n < len(b) || n > 1<<18 {
		return nil, fmt.Errorf("a packet of %d bytes", n)
	}
	rest := make([]byte, n-len(b))
	if _, err := io.ReadFull(w.in, rest); err != nil {
		return nil, err
	}
	if w.dec != nil {
		w.dec.XORKeyStream(rest, rest)
		if _, err := io.ReadFull(w.in, make([]byte, sha256.Size)); err != nil {
			return nil, err
		}
	}
	b = append(b, rest...)
	w.seq[1]++
	payload := b[5 : n-int(b[4])]
	if len(payload) == 0 {
		return nil, errors.New("an empty packet")
	}
	return payload, nil
}

// await reads until one of the messages comes.
func (w *wire) await(wanted ...byte) ([]byte, error) {
	for {
		p, err := w.read()
		if err != nil {
			return nil, err
		}
		for _, m := range wanted {
			if p[0] == m {
				return p, nil
			}
		}
		if p[0] == msgDisconnect {
			return nil, fmt.Errorf("disconnected: %q", p[1:])
		}
	}
}

// begin asks for authentication.
func (w *wire) begin() error {
	if err := w.write(append([]byte{msgServiceRequest}, str("ssh-userauth")...)); err != nil {
		return err
	}
	_, err := w.await(msgServiceAccept)
	return err
}

// offer proves an SSH key, and waits for the partial success.
func (w *wire) offer(user string, key ssh.Signer) error {
	blob := string(key.PublicKey().Marshal())
	request := append([]byte{msgAuth}, str(user, "ssh-connection", "publickey")...)
	request = append(append(request, 1), str(key.PublicKey().Type(), blob)...)
	signature, err := key.Sign(rand.Reader, append(str(string(w.session)), request...))
	if err != nil {
		return err
	}
	if err := w.write(append(request, str(string(ssh.Marshal(signature)))...)); err != nil {
		return err
	}
	_, err = w.await(msgAuthFailure)
	return err
}

// question asks for keyboard-interactive, and gives the challenge's line.
func (w *wire) question(user string) (string, error) {
	request := append([]byte{msgAuth}, str(user, "ssh-connection", "keyboard-interactive", "", "")...)
	if err := w.write(request); err != nil {
		return "", err
	}
	p, err := w.await(msgInfoRequest)
	if err != nil {
		return "", err
	}
	return challengeLine(string(p)), nil
}
