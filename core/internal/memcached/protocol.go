package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
)

var (
	// ErrMissing means that there is no item with this key.
	ErrMissing = errors.New("memcached: no such item")

	// ErrExists means that there is an item with this key, and not at the CAS value.
	ErrExists = errors.New("memcached: the item is there, or has changed")

	// ErrTooLarge means that the server keeps no items of this size.
	ErrTooLarge = errors.New("memcached: the item is too large for the server")

	// ErrFull means that the server has no memory left. What it had is still there.
	ErrFull = errors.New("memcached: the server is out of memory")

	// ErrBusy means that the server cannot list its keys at the moment.
	ErrBusy = errors.New("memcached: the server is busy")

	// ErrGarbage means that what came back is not the answer to what was asked.
	ErrGarbage = errors.New("memcached: not an answer of Memcached")
)

// ServerError is an error that the server has answered instead of doing what it was
// asked to do.
type ServerError struct{ Text string }

// Error implements error.
func (e *ServerError) Error() string { return "memcached: the server says " + strconv.Quote(e.Text) }

// maxLine bounds a line of an answer. Lines hold at most a key of 250 bytes, or a
// setting.
const maxLine = 2048

// chunk is how much of a value is read before memory for more is taken: an answer that
// only claims to be long costs nothing.
const chunk = 64 << 10

// MaxValue is the longest value that is read, and that callers may write.
const MaxValue = 16 << 20

// reader reads answers. After an error of a reader, the rest of the connection means
// nothing, except after those that inSync names.
type reader struct{ *bufio.Reader }

// inSync reports whether the next answer can be read after err.
func inSync(err error) bool {
	return err == nil || errors.Is(err, ErrMissing) || errors.Is(err, ErrExists) || errors.Is(err, ErrFull) || errors.Is(err, ErrBusy)
}

// line reads a line without its end. It is valid until the next read.
func (r reader) line() ([]byte, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, fmt.Errorf("%w: a line of more than %d bytes", ErrGarbage, maxLine)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, garbage(line)
	}
	return line, nil
}

// garbage returns an error for a line that is no answer. The line is not repeated,
// because it may be part of a value.
func garbage(line []byte) error {
	text := string(line)
	for _, prefix := range []string{"SERVER_ERROR ", "CLIENT_ERROR "} {
		if strings.HasPrefix(text, prefix) {
			return &ServerError{short(text)}
		}
	}
	if text == "ERROR" {
		return &ServerError{text}
	}
	return fmt.Errorf("%w: a line of %d bytes", ErrGarbage, len(line))
}

// short bounds text from the server, for an error.
func short(text string) string {
	const most = 80
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// item reads the answer to "mg key v c k": the item of this key, and none else.
func (r reader) item(key string) (value []byte, cas uint64, err error) {
	line, err := r.line()
	if err != nil {
		return nil, 0, err
	}
	rest, ok := bytes.CutPrefix(line, []byte("VA "))
	if !ok {
		if rest, ok := bytes.CutPrefix(line, []byte("EN")); ok && (len(rest) == 0 || string(rest) == " k"+key) {
			return nil, 0, ErrMissing
		}
		return nil, 0, garbage(line)
	}
	text := string(rest)
	size, text, _ := strings.Cut(text, " ")
	casText, keyText, _ := strings.Cut(text, " ")
	n, err := strconv.ParseUint(size, 10, 31)
	if err != nil || n > MaxValue || !strings.HasPrefix(casText, "c") || keyText != "k"+key {
		return nil, 0, fmt.Errorf("%w: an item that was not asked for", ErrGarbage)
	}
	if cas, err = strconv.ParseUint(casText[1:], 10, 64); err != nil {
		return nil, 0, fmt.Errorf("%w: an item without a CAS value", ErrGarbage)
	}
	if value, err = r.value(int(n)); err != nil {
		return nil, 0, err
	}
	return value, cas, nil
}

// value reads n bytes and the end of the line after them.
func (r reader) value(n int) ([]byte, error) {
	value := make([]byte, 0, min(n+2, chunk))
	for len(value) < n+2 {
		next := min(n+2-len(value), chunk)
		value = append(value, make([]byte, next)...)
		if _, err := io.ReadFull(r, value[len(value)-next:]); err != nil {
			return nil, incomplete(err)
		}
	}
	if string(value[n:]) != "\r\n" {
		return nil, fmt.Errorf("%w: a value that does not end", ErrGarbage)
	}
	return value[:n:n], nil
}

func incomplete(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// stored reads the answer to add or cas.
func (r reader) stored() error {
	line, err := r.line()
	if err != nil {
		return err
	}
	switch string(line) {
	case "STORED":
		return nil
	case "EXISTS", "NOT_STORED":
		return ErrExists
	case "NOT_FOUND":
		return ErrMissing
	case "SERVER_ERROR out of memory storing object":
		return ErrFull
	case "SERVER_ERROR object too large for cache":
		return ErrTooLarge
	}
	return garbage(line)
}

// deleted reads the answer to "md key k".
func (r reader) deleted(key string) error {
	line, err := r.line()
	if err != nil {
		return err
	}
	switch status, of, _ := strings.Cut(string(line), " k"); {
	case of != key:
	case status == "HD":
		return nil
	case status == "NF":
		return ErrMissing
	}
	return garbage(line)
}

// version reads the answer to version.
func (r reader) version() (string, error) {
	line, err := r.line()
	if err != nil {
		return "", err
	}
	version, ok := strings.CutPrefix(string(line), "VERSION ")
	if !ok {
		return "", garbage(line)
	}
	return short(version), nil
}

// maxSettings bounds how many settings are read. Version 1.6 has about a hundred.
const maxSettings = 1000

// settings reads the answer to "stats settings".
func (r reader) settings() (map[string]string, error) {
	all := map[string]string{}
	for len(all) < maxSettings {
		line, err := r.line()
		if err != nil {
			return nil, incomplete(err)
		}
		if string(line) == "END" {
			return all, nil
		}
		setting, ok := strings.CutPrefix(string(line), "STAT ")
		if !ok {
			return nil, garbage(line)
		}
		name, value, _ := strings.Cut(setting, " ")
		all[name] = value
	}
	return nil, fmt.Errorf("%w: more than %d settings", ErrGarbage, maxSettings)
}

// key reads a line of the answer to "lru_crawler metadump hash": a key, or "" at the end.
func (r reader) key() (string, error) {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", fmt.Errorf("%w: a line of more than %d bytes", ErrGarbage, maxLine)
	case err != nil:
		return "", incomplete(err)
	}
	text := strings.TrimRight(string(line), "\r\n") // these lines have no carriage return
	escaped, ok := strings.CutPrefix(text, "key=")
	switch {
	case text == "END":
		return "", nil
	case strings.HasPrefix(text, "BUSY "):
		return "", ErrBusy
	case !ok:
		return "", garbage([]byte(text))
	}
	escaped, _, _ = strings.Cut(escaped, " ")
	key, err := url.PathUnescape(escaped)
	if err != nil || key == "" {
		return "", fmt.Errorf("%w: a key that cannot be read", ErrGarbage)
	}
	return key, nil
}

// Answered reports whether err is an answer, which tells what the server has done. After
// any other error, a command may have been carried out or not.
func Answered(err error) bool { return inSync(err) || errors.Is(err, ErrTooLarge) }
