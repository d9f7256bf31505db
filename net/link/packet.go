package link

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"decenter/net/frame"
)

// maxControl is the longest control frame that is read.
const maxControl = frame.HeaderLen + frame.MTU

// ErrBusy: the device's queue is full; the frame is lost, as on a cable.
var ErrBusy = errors.New("send queue is full")

// Packet sends and receives control frames (frame.EtherType) on one device.
type Packet struct {
	file *os.File
	stop func() bool
}

// OpenPacket binds a packet socket to the device and joins the group address there, until Close. When ctx ends,
// Wait returns. Control frames go before others in the device's queue.
func OpenPacket(ctx context.Context, ifindex uint32) (*Packet, error) {
	proto := uint16(frame.EtherType<<8&0xff00 | frame.EtherType>>8)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	group := unix.PacketMreq{Ifindex: int32(ifindex), Type: unix.PACKET_MR_MULTICAST, Alen: 6}
	copy(group.Address[:], frame.Group[:])
	err = errors.Join(
		unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &group),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 7), // TC_PRIO_CONTROL
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: proto, Ifindex: int(ifindex)}))
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("open packet socket on device %d: %w", ifindex, err)
	}
	p := &Packet{file: os.NewFile(uintptr(fd), "packet")}
	p.stop = context.AfterFunc(ctx, func() { p.file.SetReadDeadline(time.Unix(1, 0)) })
	return p, nil
}

// Wait returns once a frame is there to be polled. It ends with the context of OpenPacket and with Close.
func (p *Packet) Wait() error {
	conn, err := p.file.SyscallConn()
	if err == nil {
		err = conn.Read(func(fd uintptr) bool {
			_, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
			return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENETDOWN) && !errors.Is(err, unix.EINTR)
		})
	}
	if err != nil {
		return fmt.Errorf("wait for control frames: %w", err)
	}
	return nil
}

// Poll takes a frame that is already there, whole from its destination address on; nil if there is none. It never waits.
func (p *Packet) Poll() ([]byte, error) {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("poll for control frames: %w", err)
	}
	buf := make([]byte, maxControl+1)
	var n int
	var got error
	if err := conn.Control(func(fd uintptr) {
		n, got = unix.Read(int(fd), buf)
		if errors.Is(got, unix.ENETDOWN) { // said once, ahead of what arrived before the device went down
			n, got = unix.Read(int(fd), buf)
		}
	}); err != nil {
		return nil, fmt.Errorf("poll for control frames: %w", err)
	}
	if errors.Is(got, unix.EAGAIN) || errors.Is(got, unix.EINTR) {
		return nil, nil
	}
	if got != nil {
		return nil, fmt.Errorf("poll for control frames: %w", got)
	}
	return buf[:n], nil
}

// Bound tells whether the socket still hears its device. It does not once the device was removed or went to another
// namespace, also if it came back since.
func (p *Packet) Bound() bool {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return false
	}
	bound := false
	err = conn.Control(func(fd uintptr) {
		sa, err := unix.Getsockname(int(fd))
		at, ok := sa.(*unix.SockaddrLinklayer)
		bound = err == nil && ok && at.Ifindex > 0
	})
	return bound && err == nil
}

// Send puts a whole frame into the device's queue. It never waits.
func (p *Packet) Send(b []byte) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("send control frame: %w", err)
	}
	var sent error
	if err := conn.Control(func(fd uintptr) { _, sent = unix.Write(int(fd), b) }); err != nil {
		return fmt.Errorf("send control frame: %w", err)
	}
	if errors.Is(sent, unix.EAGAIN) || errors.Is(sent, unix.ENOBUFS) {
		sent = ErrBusy
	}
	if sent != nil {
		return fmt.Errorf("send control frame: %w", sent)
	}
	return nil
}

// Close leaves the group and ends Wait.
func (p *Packet) Close() error {
	p.stop()
	return p.file.Close()
}
