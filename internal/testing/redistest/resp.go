package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ReplyError is an error reply of the server, such as
// "WRONGTYPE Operation against a key holding the wrong kind of value".
type ReplyError string

func (e ReplyError) Error() string { return string(e) }

// maxBulk bounds what one length in the protocol may announce.
const maxBulk = 512 << 20

var errProtocol = errors.New("redistest: not the Redis protocol")

// encodeCommand returns args in the form in which a client sends them.
func encodeCommand(args []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(a), a)
	}
	return b
}

// readCommand reads one command of a client, and returns it both parsed and as it
// was on the wire.
func readCommand(r *bufio.Reader) (args []string, raw []byte, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, nil, err
	}
	raw = append(raw, line...)
	if line[0] != '*' { // an inline command, as people type it
		return strings.Fields(string(line)), raw, nil
	}
	n, err := length(line)
	if err != nil {
		return nil, nil, err
	}
	for range n {
		body, whole, err := readBulk(r)
		if err != nil {
			return nil, nil, err
		}
		args = append(args, body)
		raw = append(raw, whole...)
	}
	return args, raw, nil
}

func readBulk(r *bufio.Reader) (body string, raw []byte, err error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return "", nil, err
	}
	if line[0] != '$' {
		return "", nil, errProtocol
	}
	n, err := length(line)
	if err != nil || n < 0 {
		return "", nil, errProtocol
	}
	raw = make([]byte, len(line)+n+2)
	copy(raw, line)
	if _, err := io.ReadFull(r, raw[len(line):]); err != nil {
		return "", nil, err
	}
	return string(raw[len(line) : len(line)+n]), raw, nil
}

// length returns the number in a header line such as "$5\r\n".
func length(line []byte) (int, error) {
	n, err := strconv.Atoi(strings.TrimRight(string(line[1:]), "\r\n"))
	if err != nil || n > maxBulk {
		return 0, errProtocol
	}
	return n, nil
}

// readRaw reads one reply of a server as it is on the wire, in either version of
// the protocol. Attributes belong to the reply that follows them.
func readRaw(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	parts := 0
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return line, nil
	case '$', '!', '=':
		n, err := length(line)
		if err != nil || n < 0 {
			return line, err // a length of -1 is RESP2's nil
		}
		body := make([]byte, n+2)
		_, err = io.ReadFull(r, body)
		return append(line, body...), err
	case '*', '~', '>':
		parts, err = length(line)
	case '%':
		parts, err = length(line)
		parts *= 2
	case '|':
		parts, err = length(line)
		parts = parts*2 + 1
	default:
		err = errProtocol
	}
	if err != nil {
		return nil, err
	}
	for range parts {
		part, err := readRaw(r)
		if err != nil {
			return nil, err
		}
		line = append(line, part...)
	}
	return line, nil
}

// readReply reads one reply of a server in RESP2: a string, an int64, nil, or
// a []any of these. The server's errors are a [ReplyError].
func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(string(line[1:]), "\r\n")
	switch line[0] {
	case '+':
		return text, nil
	case '-':
		return nil, ReplyError(text)
	case ':':
		return strconv.ParseInt(text, 10, 64)
	case '$':
		n, err := length(line)
		if err != nil || n < 0 {
			return nil, err
		}
		body := make([]byte, n+2)
		_, err = io.ReadFull(r, body)
		return string(body[:n]), err
	case '*':
		n, err := length(line)
		if err != nil || n < 0 {
			return nil, err
		}
		return readArray(r, n)
	}
	return nil, errProtocol
}

func readArray(r *bufio.Reader, n int) ([]any, error) {
	parts := make([]any, n)
	for i := range parts {
		part, err := readReply(r)
		var answered ReplyError
		switch {
		case errors.As(err, &answered):
			part = answered
		case err != nil:
			return nil, err
		}
		parts[i] = part
	}
	return parts, nil
}
