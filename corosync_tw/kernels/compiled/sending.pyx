# cython: boundscheck=False, wraparound=False
"""Compiled twin of plain.sending."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.errno cimport EINTR, EINVAL, errno
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcpy, memset

cdef extern from "sys/uio.h" nogil:
    struct iovec:
        void* iov_base
        size_t iov_len

cdef extern from "sys/socket.h" nogil:
    int AF_INET, AF_INET6
    struct sockaddr_storage:
        uint16_t ss_family
    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        void* msg_control
        size_t msg_controllen
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    size_t CMSG_SPACE(size_t)
    size_t CMSG_LEN(size_t)
    unsigned char* CMSG_DATA(cmsghdr*)
    Py_ssize_t sendmsg(int, const msghdr*, int)

cdef extern from "netinet/in.h" nogil:
    struct in_addr:
        pass
    struct in6_addr:
        pass
    struct sockaddr_in:
        uint16_t sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        uint16_t sin6_family
        uint16_t sin6_port
        uint32_t sin6_flowinfo
        in6_addr sin6_addr
        uint32_t sin6_scope_id
    uint16_t htons(uint16_t)
    uint32_t htonl(uint32_t)

cdef extern from "arpa/inet.h" nogil:
    int inet_pton(int, const char*, void*)

cdef enum:
    CONTROL_BYTES = 64
    HOST_BYTES = 64


cdef class _Gathered:
    """Slices of one call, and hold of their buffers."""

    cdef Py_buffer headers
    cdef Py_buffer items
    cdef iovec* slices
    cdef size_t count

    def __dealloc__(self):
        PyMem_Free(self.slices)
        PyBuffer_Release(&self.headers)
        PyBuffer_Release(&self.items)


def plan(
    const uint32_t[::1] header_ends,
    const uint32_t[::1] item_ends,
    long segment_bytes_max,
    Py_ssize_t segments_max,
    long payload_bytes_max,
):
    """See plain.sending."""
    cdef Py_ssize_t count = min(header_ends.shape[0], item_ends.shape[0]) - 1
    cdef Py_ssize_t start = 0
    cdef Py_ssize_t end, limit
    cdef long segment, total, length
    cdef list calls = []
    while start < count:
        segment = total = _length(header_ends, item_ends, start)
        end = start + 1
        if segment <= segment_bytes_max:
            limit = min(count, start + segments_max)
            while end < limit:
                length = _length(header_ends, item_ends, end)
                if length > segment or total + length > payload_bytes_max:
                    break
                total += length
                end += 1
                if length < segment:
                    break
        calls.append((start, end, segment, total))
        start = end
    return calls


cdef inline long _length(
    const uint32_t[::1] header_ends, const uint32_t[::1] item_ends, Py_ssize_t at
) noexcept:
    return (
        <long>header_ends[at + 1] - header_ends[at] + <long>item_ends[at + 1] - item_ends[at]
    )


def gather(
    headers,
    const uint32_t[::1] header_ends,
    items,
    const uint32_t[::1] item_ends,
    Py_ssize_t start,
    Py_ssize_t stop,
):
    """See plain.sending."""
    cdef _Gathered gathered = _Gathered()
    cdef Py_ssize_t i
    cdef uint32_t at, item_at
    cdef iovec* into
    if not 0 <= start < stop < header_ends.shape[0] or stop >= item_ends.shape[0]:
        raise ValueError("no such datagrams")
    PyObject_GetBuffer(headers, &gathered.headers, PyBUF_SIMPLE)
    PyObject_GetBuffer(items, &gathered.items, PyBUF_SIMPLE)
    if header_ends[stop] > gathered.headers.len or item_ends[stop] > gathered.items.len:
        raise ValueError("datagrams beyond their buffers")
    gathered.slices = into = <iovec*>PyMem_Malloc(2 * (stop - start) * sizeof(iovec))
    if into is NULL:
        raise MemoryError
    at, item_at = header_ends[start], item_ends[start]
    for i in range(start + 1, stop + 1):
        if header_ends[i] < at or item_ends[i] < item_at:
            raise ValueError("datagrams that end before they begin")
        into[0].iov_base = <uint8_t*>gathered.headers.buf + at
        into[0].iov_len = header_ends[i] - at
        into[1].iov_base = <uint8_t*>gathered.items.buf + item_at
        into[1].iov_len = item_ends[i] - item_at
        into += 2
        at, item_at = header_ends[i], item_ends[i]
    gathered.count = 2 * (stop - start)
    return gathered


cdef unsigned int _name(tuple address, sockaddr_storage* name) except 0:
    """Fill in a literal address; give its length."""
    cdef char host[HOST_BYTES]
    cdef Py_ssize_t length
    cdef const char* text = PyUnicode_AsUTF8AndSize(address[0], &length)
    cdef const void* zone = memchr(text, c"%", length)
    cdef sockaddr_in* four = <sockaddr_in*>name
    cdef sockaddr_in6* six = <sockaddr_in6*>name
    if zone is not NULL:
        length = <const char*>zone - text
    if length < HOST_BYTES:
        memcpy(host, text, length)
        host[length] = 0
        memset(name, 0, sizeof(sockaddr_storage))
        if len(address) == 2 and inet_pton(AF_INET, host, &four.sin_addr) == 1:
            four.sin_family = AF_INET
            four.sin_port = htons(address[1])
            return sizeof(sockaddr_in)
        if len(address) == 4 and inet_pton(AF_INET6, host, &six.sin6_addr) == 1:
            six.sin6_family = AF_INET6
            six.sin6_port = htons(address[1])
            six.sin6_flowinfo = htonl(address[2])
            six.sin6_scope_id = address[3]
            return sizeof(sockaddr_in6)
    raise OSError(EINVAL, f"not a literal address: {address!r}")


def send(sock, slices, ancillary, tuple address):
    """See plain.sending."""
    cdef sockaddr_storage name
    cdef unsigned char control[CONTROL_BYTES]
    cdef msghdr message
    cdef cmsghdr* head = <cmsghdr*>control
    cdef _Gathered gathered
    cdef bytes content
    cdef Py_ssize_t sent
    cdef int fd
    if type(slices) is not _Gathered:
        sock.sendmsg(slices, ancillary, 0, address)
        return
    gathered = slices
    memset(&message, 0, sizeof(message))
    message.msg_name = &name
    message.msg_namelen = _name(address, &name)
    message.msg_iov = gathered.slices
    message.msg_iovlen = gathered.count
    for level, kind, content in ancillary:
        if message.msg_controllen or CMSG_SPACE(PyBytes_GET_SIZE(content)) > CONTROL_BYTES:
            raise OSError(EINVAL, "too much ancillary data")
        memset(control, 0, CONTROL_BYTES)
        head.cmsg_level = level
        head.cmsg_type = kind
        head.cmsg_len = CMSG_LEN(PyBytes_GET_SIZE(content))
        memcpy(CMSG_DATA(head), PyBytes_AS_STRING(content), PyBytes_GET_SIZE(content))
        message.msg_control = control
        message.msg_controllen = CMSG_SPACE(PyBytes_GET_SIZE(content))
    fd = sock.fileno()
    while True:
        with nogil:
            sent = sendmsg(fd, &message, 0)
        if sent >= 0:
            return
        if errno != EINTR:
            PyErr_SetFromErrno(OSError)
        PyErr_CheckSignals()
