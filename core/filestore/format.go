package filestore

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/satchel-go/satchel/core"
)

// A file is a header and frames. A frame is written at once and synced before the
// next one, so a power cut can damage only the last.
//
//	header: magic, format, generation, salt, time, ticks, CRC
//	frame:  salt, length of the records, time, CRC, records
//
// The salt is random and in no other file. No data that a client chooses looks like
// a frame, so whatever follows damage shows whether that is at the end.
const (
	magic      = "SATCHEL\n"
	format     = 1
	headerSize = 8 + 4 + 8 + 8 + 8 + 8 + 4
	frameSize  = 8 + 4 + 8 + 4 // before the records
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header begins every file.
type header struct {
	generation uint64
	salt       [8]byte
	written    time.Time
	ticks      uint64 // all versions and ticks before were at most this
}

func newHeader(generation uint64, now time.Time, ticks uint64) header {
	h := header{generation: generation, written: now, ticks: ticks}
	_, _ = rand.Read(h.salt[:]) // never fails
	return h
}

func (h header) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint32(dst, format)
	dst = binary.LittleEndian.AppendUint64(dst, h.generation)
	dst = append(dst, h.salt[:]...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(h.written.UnixMilli()))
	dst = binary.LittleEndian.AppendUint64(dst, h.ticks)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

var errOtherFormat = errors.New("not a file of this store")

func parseHeader(raw []byte) (h header, err error) {
	if len(raw) < headerSize {
		return h, errOtherFormat
	}
	version := binary.LittleEndian.Uint32(raw[8:])
	switch {
	case string(raw[:8]) != magic:
		return h, errOtherFormat
	case version > format:
		return h, fmt.Errorf("%w: format %d, this release knows up to %d", core.ErrNewerVersion, version, format)
	case version < format, crc32.Checksum(raw[:headerSize-4], castagnoli) != binary.LittleEndian.Uint32(raw[headerSize-4:]):
		return h, errors.New("the header's checksum is wrong")
	}
	h.generation = binary.LittleEndian.Uint64(raw[12:])
	h.salt = [8]byte(raw[20:])
	h.written = time.UnixMilli(int64(binary.LittleEndian.Uint64(raw[28:])))
	h.ticks = binary.LittleEndian.Uint64(raw[36:])
	return h, nil
}

// seal fills in the frame that buf begins with. Its records are there.
func (h header) seal(buf []byte, now time.Time) {
	copy(buf, h.salt[:])
	binary.LittleEndian.PutUint32(buf[8:], uint32(len(buf)-frameSize))
	binary.LittleEndian.PutUint64(buf[12:], uint64(now.UnixMilli()))
	binary.LittleEndian.PutUint32(buf[20:], checksum(buf[:20], buf[frameSize:]))
}

func checksum(head, records []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, records)
}

// frames reads the frames of a file.
type frames struct {
	r       io.Reader
	header  header
	size    int64 // of the file
	good    int64 // up to here the file is whole
	written time.Time
	buf     []byte
}

// openFrames reads the header of a file of this size.
func openFrames(file io.Reader, size int64) (*frames, error) {
	r := bufio.NewReaderSize(file, 64<<10)
	raw := make([]byte, headerSize)
	if _, err := io.ReadFull(r, raw); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	} else if err != nil {
		return nil, errOtherFormat
	}
	h, err := parseHeader(raw)
	if err != nil {
		return nil, err
	}
	return &frames{r: r, header: h, size: size, good: headerSize, written: h.written}, nil
}

var (
	errTorn   = errors.New("the last frame is not whole")
	errDamage = errors.New("a frame's checksum is wrong")
)

// next returns the records of the next frame, valid until the call after. After the
// last one it returns io.EOF, or errTorn if something follows that is no frame.
// errDamage means that frames follow it, so that this was not the end.
func (f *frames) next() ([]byte, error) {
	left := f.size - f.good
	if left == 0 {
		return nil, io.EOF
	}
	n := min(left, frameSize)
	if err := f.read(int(n)); err != nil {
		return nil, err
	}
	if n == frameSize && [8]byte(f.buf) == f.header.salt {
		length := int64(binary.LittleEndian.Uint32(f.buf[8:]))
		if length <= left-frameSize {
			if err := f.read(int(length)); err != nil {
				return nil, err
			}
			if whole(f.buf) {
				f.good += int64(len(f.buf))
				f.written = time.UnixMilli(int64(binary.LittleEndian.Uint64(f.buf[12:])))
				records := f.buf[frameSize:]
				f.buf = f.buf[:0]
				return records, nil
			}
		}
	}
	rest, err := io.ReadAll(f.r)
	if err != nil {
		return nil, err
	}
	if f.holdsFrame(append(f.buf, rest...)) {
		return nil, errDamage
	}
	return nil, errTorn
}

// read appends n bytes to buf.
func (f *frames) read(n int) error {
	at := len(f.buf)
	f.buf = append(f.buf, make([]byte, n)...)
	_, err := io.ReadFull(f.r, f.buf[at:])
	return err
}

// holdsFrame reports whether there is a whole frame in data, beyond its first byte.
func (f *frames) holdsFrame(data []byte) bool {
	for data = data[1:]; ; data = data[1:] {
		at := bytes.Index(data, f.header.salt[:])
		if at < 0 || len(data)-at < frameSize {
			return false
		}
		data = data[at:]
		length := int64(binary.LittleEndian.Uint32(data[8:]))
		if length <= int64(len(data)-frameSize) && whole(data[:frameSize+length]) {
			return true
		}
	}
}

// whole reports whether the checksum of a frame is right.
func whole(frame []byte) bool {
	return checksum(frame[:20], frame[frameSize:]) == binary.LittleEndian.Uint32(frame[20:])
}
