declare module 'seek-bzip' {
  class Stream {
    readByte(): number;
    writeByte(byte: number): void;
  }
  const Bunzip: {
    Stream: typeof Stream;
    decode(input: Stream, output: Stream): void;
  };
  export default Bunzip;
}
