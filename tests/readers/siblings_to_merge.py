from t import *
import arc3, io, contextlib, zlib, struct
from arc1 import hdr,N
from arc3 import *
from mac import *
from lharc import *
from base import tar_of, zip_of, Member, TGZ, mail, base64_lines
from packers import crc16
class V(Hash):
    def h(s,p,f): return ((p+f)*15073)&0xfff if s.new else ((((p+f)&0xffff)|0x800)**2>>6)&0xfff
arc3.Hash=V
e=EICAR; c8=b'\x0c'+pack(lzw8(EICAR)); q9=pack(lzw8(EICAR,13))
good=arcm(2,EICAR); out={}
for n,d in methods(): out['arc-'+n]=d; out['arc-behind-'+n]=b'text '*40+d; out['arc-mz-'+n]=b'MZ'+bytes(3000)+d
for k in (1,2,3,4): out[f'arc-front-{k}']=b'x'*k+good
for m,p in ((2,EICAR),(3,EICAR),(8,c8),(9,q9),(0x7f,c8)): out[f'spark-{m:x}']=hdr(0x80|m,N,len(p),crc=crc16(EICAR),orig=68)+bytes(12)+p+b'\x1a\x80'
out['arc-ctl-name-behind']=b'zz'+hdr(2,b'\1a'.ljust(13,b'\0'),68)+EICAR
out['arc-size-neg-behind']=b'zz'+hdr(2,N,0xffffffff)+EICAR
out['arc-ctl-neg-behind']=b'zz'+hdr(2,b'\1a'.ljust(13,b'\0'),0xffffffff)+EICAR
out['arc-packed-neg-behind']=b'zz'+hdr(3,N,0xffffffff)+EICAR
a=hdr(2,b'a.txt'.ljust(13,b'\0'),5)+b'aaaaa'
out['arc-second-junk']=b'zz'+a+b'jjjj'+good; out['arc-far-second']=b'zz'+a+b'j'*400000+good
out['arc-in-macbinary']=mac_binary(good); out['arc-in-single']=apple_single(good); out['macbinary-in-arc']=arcm(2,mac_binary(EICAR)); out['sq-in-arc']=arcm(2,squeezed(EICAR))
out['sq-in-lbr']=lbr(squeezed(EICAR)); out['lbr-in-sq']=squeezed(lbr(EICAR)); out['arc-in-lbr']=lbr(good); out['macbinary-of-packit']=mac_binary(packit(EICAR),kind=b'PIT PIT ')
out['packit-second']=packit(HARMLESS,name=b'a')[:-4]+packit(EICAR); out['packit-bad-crc']=packit(EICAR)[:20]+b'zz'+packit(EICAR)[22:]
out['macbinary-zeros-512']=bytes(512)+mac_binary(EICAR); out['macbinary-two']=mac_binary(HARMLESS)+mac_binary(EICAR); out['macbinary-namelen0']=mac_binary(EICAR)[:1]+b'\0'+mac_binary(EICAR)[2:]
out['single-le']=struct.pack('<II16sH',0x51600,0x20000,bytes(16),1)+struct.pack('<III',1,38,68)+EICAR
out['double-with-data']=apple_single(EICAR,magic=0x51607)
out['sit-STi9']=b'STi9'+stuffit(EICAR)[4:]; out['sit-in-arc']=arcm(2,stuffit(EICAR)); out['sit-in-lbr']=lbr(stuffit(EICAR)); out['sit-in-double']=apple_single(stuffit(EICAR),magic=0x51607)
out['lzx-junk-crc']=lzx(EICAR)[:36]+b'zzzz'+lzx(EICAR)[40:]; out['lbr-unused-second']=lbr(EICAR)[:64]+b'\xff'+lbr(EICAR)[65:]
sk=b'\x5f\x2a\x4d\x18'+struct.pack('<I',3)+b'abc'
from streams import zstd
out['zstd-skip-tgz']=sk+TGZ; out['zstd-frame-tgz']=zstd(HARMLESS)+TGZ; out['zstd-mixed']=zstd(HARMLESS)+sk+zstd(HARMLESS)+TGZ
def cpt(data,name=b'e.com'):
    b=struct.pack('>HB',1,0)+bytes([len(name)])+name+b'\1'+struct.pack('>I',8)+b'TEXTttxt'+struct.pack('>II',0,0)+struct.pack('>H',0)+struct.pack('>I',zlib.crc32(data)^0xffffffff)+struct.pack('>H',0)+struct.pack('>IIII',0,len(data),0,len(data))
    return b'\1\1\0\0'+struct.pack('>I',8+len(data))+data+struct.pack('>I',(zlib.crc32(b)^0xffffffff)&0xffffffff)+b
out['compact-pro']=cpt(EICAR); out['compact-pro-in-macbinary']=mac_binary(cpt(EICAR),kind=b'PACTCPCT')
print(len(out))
